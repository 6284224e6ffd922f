package ds.comm.tcp.group;

import ds.comm.tcp.frame.Header;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/** The first pieces of a peer's operand, which came before this rank had begun; its memory is allocated when the first one comes. */
final class EarlyBytes {
    private final Arena arena;
    private final long most;
    private MemorySegment memory = MemorySegment.NULL;
    private int[] pieces = new int[8]; // bytes of each
    private int count;
    private int next;
    private boolean arriving;
    private long received;
    private long taken;

    /**
     * Holds nothing.
     *
     * @param most bytes that a peer may send before this rank has begun
     */
    EarlyBytes(Arena arena, long most) {
        this.arena = arena;
        this.most = most;
    }

    void clear() {
        arriving = false;
        count = 0;
        next = 0;
        received = 0;
        taken = 0;
    }

    /** {@return where the body of a piece goes, or null if it cannot be one} */
    MemorySegment open(Header piece) {
        if (piece.value() != received || piece.bodyBytes() > most - received) {
            return null;
        }
        if (memory.byteSize() == 0) {
            memory = arena.allocate(most, 64);
        }
        arriving = true;
        return memory.asSlice(received, piece.bodyBytes());
    }

    /**
     * A piece is complete.
     *
     * @return whether it is one that was opened here
     */
    boolean received(int bytes) {
        boolean early = arriving;
        if (early) {
            arriving = false;
            received += bytes;
            pieces = count < pieces.length ? pieces : Arrays.copyOf(pieces, 2 * count);
            pieces[count++] = bytes;
        }
        return early;
    }

    /** {@return the next piece, or nothing} */
    MemorySegment take() {
        if (next == count) {
            return MemorySegment.NULL;
        }
        MemorySegment piece = memory.asSlice(taken, pieces[next++]);
        taken += piece.byteSize();
        return piece;
    }
}
