package ds.comm.tcp;

import ds.comm.tcp.pace.Pace;
import java.lang.foreign.MemorySegment;

/** What is sent to one peer for one operation, in pieces: as far as it is available here and granted there. */
final class Outflow {
    private final Operation operation;
    private final int member;
    private final FrameKind kind;
    private final Parts source;
    private long available;
    private long granted;
    private long taken;
    private long sent;
    private Pace pace = new Pace(0, 0);

    Outflow(Operation operation, int member, FrameKind kind, Parts source, long available) {
        this.operation = operation;
        this.member = member;
        this.kind = kind;
        this.source = source;
        this.available = available;
    }

    Operation operation() {
        return operation;
    }

    /** {@return to which member of the group} */
    int member() {
        return member;
    }

    FrameKind kind() {
        return kind;
    }

    /** Everything before this offset may be read. */
    void makeAvailable(long bytes) {
        available = bytes;
    }

    /** The peer takes everything before this offset. */
    void grant(long bytes) {
        granted = Math.min(source.total(), Math.max(granted, bytes));
    }

    /** From now on leaves no faster than this, or as fast as it can if 0. */
    void keepTo(long bytesPerSecond) {
        pace = new Pace(bytesPerSecond, System.nanoTime());
    }

    /** {@return how long the next piece has to wait for its time; not positive if not at all} */
    long waitNanos(long nowNanos) {
        return pace.waitNanos(nowNanos);
    }

    /** {@return the bytes of the next piece; 0 if there is none now} */
    int ready() {
        int piece = source.frameBytes(taken);
        return taken + piece <= Math.min(available, granted) ? piece : 0;
    }

    boolean exhausted() {
        return taken == source.total();
    }

    long offset() {
        return taken;
    }

    MemorySegment take(int bytes) {
        MemorySegment piece = source.slice(taken, bytes);
        taken += bytes;
        pace.sent(bytes, System.nanoTime());
        return piece;
    }

    /** {@return whether that was the last byte} */
    boolean sent(int bytes) {
        sent += bytes;
        return sent == source.total();
    }

    long bytesSent() {
        return sent;
    }

    long total() {
        return source.total();
    }
}
