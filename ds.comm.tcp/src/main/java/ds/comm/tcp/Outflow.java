package ds.comm.tcp;

import java.lang.foreign.MemorySegment;

/** What is sent to one peer for one operation, in pieces: as far as it is available here and granted there. */
final class Outflow {
    private final Operation operation;
    private final FrameKind kind;
    private final MemorySegment source;
    private long available;
    private long granted;
    private long taken;
    private long sent;

    Outflow(Operation operation, FrameKind kind, MemorySegment source, long available) {
        this.operation = operation;
        this.kind = kind;
        this.source = source;
        this.available = available;
    }

    Operation operation() {
        return operation;
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
        granted = Math.min(source.byteSize(), Math.max(granted, bytes));
    }

    /** {@return the bytes of the next piece, which is cut where an inbox is; 0 if there is none now} */
    int ready() {
        long piece = Math.min(Header.PIECE_BYTES, source.byteSize() - taken);
        return taken + piece <= Math.min(available, granted) ? (int) piece : 0;
    }

    boolean exhausted() {
        return taken == source.byteSize();
    }

    long offset() {
        return taken;
    }

    MemorySegment take(int bytes) {
        MemorySegment piece = source.asSlice(taken, bytes);
        taken += bytes;
        return piece;
    }

    /** {@return whether that was the last byte} */
    boolean sent(int bytes) {
        sent += bytes;
        return sent == source.byteSize();
    }

    long bytesSent() {
        return sent;
    }

    long total() {
        return source.byteSize();
    }
}
