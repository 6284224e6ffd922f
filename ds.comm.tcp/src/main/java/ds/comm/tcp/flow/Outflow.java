package ds.comm.tcp.flow;

import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.Subject;
import java.lang.foreign.MemorySegment;
import java.util.function.IntConsumer;

/** What is sent to one peer for one operation, in pieces: as far as it is available here and granted there. */
public final class Outflow {
    private final Subject subject;
    private final FrameKind kind;
    private final Parts source;
    private final boolean urgent;
    private final IntConsumer whenSent;
    private long available;
    private long granted;
    private long taken;
    private long sent;
    private long bytesPerSecond;

    /**
     * Sends nothing yet.
     *
     * @param urgent whether it leaves before what is not
     * @param available bytes that may be read already
     * @param whenSent told how many bytes of a piece have left
     */
    public Outflow(
            Subject subject, FrameKind kind, Parts source, boolean urgent, long available, IntConsumer whenSent) {
        this.subject = subject;
        this.kind = kind;
        this.source = source;
        this.urgent = urgent;
        this.available = available;
        this.whenSent = whenSent;
    }

    /** {@return the header of the next piece} */
    public Header header(int bytes) {
        return subject.header(kind, taken, bytes);
    }

    /** Everything before this offset may be read. */
    public void makeAvailable(long bytes) {
        available = bytes;
    }

    /** The peer takes everything before this offset. */
    public void grant(long bytes) {
        granted = Math.min(source.total(), Math.max(granted, bytes));
    }

    /** From now on should leave no faster than this, or as fast as it can if 0. */
    public void keepTo(long rate) {
        bytesPerSecond = rate;
    }

    /** {@return how fast it should leave; 0: as fast as it can} */
    public long bytesPerSecond() {
        return bytesPerSecond;
    }

    /** {@return the bytes of the next piece; 0 if there is none now} */
    public int ready() {
        int piece = source.frameBytes(taken);
        return taken + piece <= Math.min(available, granted) ? piece : 0;
    }

    /** {@return whether it leaves before what is not} */
    public boolean isUrgent() {
        return urgent;
    }

    public boolean exhausted() {
        return taken == source.total();
    }

    public MemorySegment take(int bytes) {
        MemorySegment piece = source.slice(taken, bytes);
        taken += bytes;
        return piece;
    }

    /** A piece has left. */
    public void sent(int bytes) {
        sent += bytes;
        whenSent.accept(bytes);
    }

    /** {@return whether the last byte has left} */
    public boolean complete() {
        return sent == source.total();
    }

    public long bytesSent() {
        return sent;
    }

    public long total() {
        return source.total();
    }
}
