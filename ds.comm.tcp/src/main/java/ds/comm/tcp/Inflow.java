package ds.comm.tcp;

import java.lang.foreign.MemorySegment;

/**
 * What one peer sends for one operation: in order, straight into the memory where it belongs, or into an inbox that is used
 * as a ring.
 */
final class Inflow {
    private final MemorySegment memory;
    private final long total;
    private long granted;
    private long received;

    /**
     * Expects bytes.
     *
     * @param memory the operand itself, of {@code total} bytes, or a ring whose size is a multiple of {@link
     *     Header#PIECE_BYTES}
     */
    Inflow(MemorySegment memory, long total) {
        this.memory = memory;
        this.total = total;
        granted = Math.min(total, memory.byteSize());
    }

    /** {@return where a piece belongs, or null if it is none that was expected} */
    MemorySegment accept(long offset, int bytes) {
        long inMemory = offset % memory.byteSize();
        boolean expected = offset == received
                && bytes <= Header.PIECE_BYTES
                && bytes <= granted - received
                && inMemory % Header.PIECE_BYTES == 0
                && bytes <= memory.byteSize() - inMemory;
        return expected ? memory.asSlice(inMemory, bytes) : null;
    }

    void add(int bytes) {
        received += bytes;
    }

    /** {@return what has been received, from one offset to another that lies in the same piece} */
    MemorySegment slice(long offset, long bytes) {
        return memory.asSlice(offset % memory.byteSize(), bytes);
    }

    /**
     * The bytes before {@code offset} have been used: their room in the ring is granted again.
     *
     * @return whether the peer may send more than before
     */
    boolean release(long offset) {
        long before = granted;
        granted = Math.min(total, offset + memory.byteSize());
        return granted > before;
    }

    long granted() {
        return granted;
    }

    long received() {
        return received;
    }

    long total() {
        return total;
    }

    boolean complete() {
        return received == total;
    }
}
