package ds.api.comm;

import ds.api.Event;

/**
 * What every collective is told besides its operands.
 *
 * @param label what it is for, such as {@code "gradients of block 3"}: in error messages, reports and timelines. The same
 *     on all ranks
 * @param after the point of the compute stream at which the operands are ready
 * @param urgent whether what this rank sends for it should leave before what it sends for collectives of other groups that are under way;
 *     a provider that cannot tell them apart need not. Within a group collectives keep their order
 */
public record Call(String label, Event after, boolean urgent) {
    /** A call that takes turns with others. */
    public Call(String label, Event after) {
        this(label, after, false);
    }

    /** {@return a call whose operands are ready now} */
    public static Call now(String label) {
        return new Call(label, Event.DONE);
    }
}
