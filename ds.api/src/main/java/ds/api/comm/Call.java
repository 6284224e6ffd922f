package ds.api.comm;

import ds.api.Event;

/**
 * What every collective is told besides its operands.
 *
 * @param label what it is for, such as {@code "gradients of block 3"}: in error messages, reports and timelines. The same
 *     on all ranks
 * @param after the point of the compute stream at which the operands are ready
 */
public record Call(String label, Event after) {
    /** {@return a call whose operands are ready now} */
    public static Call now(String label) {
        return new Call(label, Event.DONE);
    }
}
