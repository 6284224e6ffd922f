package ds.comm.tcp.group;

import ds.comm.tcp.frame.Descriptor;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/** An operation of this rank in a Flight Recorder file: from its call until it is done. Costs next to nothing while nobody records. */
@Name("ds.Collective")
@Label("Collective operation")
@Category("ds")
@Description("From the call of a collective, or of a send or receive, until it is done on this rank")
@StackTrace(false)
@SuppressWarnings("UnusedVariable") // Flight Recorder reads the fields
final class CollectiveEvent extends Event {
    @Label("Operation")
    private String operation;

    @Label("Label")
    private String label;

    @Label("Bytes of the whole buffer")
    @DataAmount
    private long bytes;

    @Label("Waited until all ranks had come")
    @Timespan(Timespan.NANOSECONDS)
    private long queued;

    /** Begins it. */
    CollectiveEvent() {
        begin();
    }

    /**
     * Ends it, and records it if somebody wants it.
     *
     * @param queuedNanos from its call until bytes could move
     */
    void done(Descriptor descriptor, long queuedNanos) {
        if (shouldCommit()) {
            operation = descriptor.operation().toString();
            label = descriptor.label();
            bytes = descriptor.bytes();
            queued = queuedNanos;
            commit();
        }
    }
}
