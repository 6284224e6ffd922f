package ds.comm.tcp;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The last START but one, or the last one, that a peer has sent in a lane, and the first of its operand, if that came before this rank
 * got there; its memory is used again and again.
 */
final class Announcement {
    private final Arena arena;
    private final long earlyBytes;
    private final MemorySegment memory;
    private int[] pieces = new int[8]; // bytes of each
    private MemorySegment early = MemorySegment.NULL;
    private Header header;
    private boolean complete;
    private boolean arriving;
    private int count;
    private int next;
    private long received;
    private long taken;

    /**
     * Holds nothing.
     *
     * @param earlyBytes that a peer may send before this rank has begun
     */
    Announcement(Arena arena, long earlyBytes) {
        this.arena = arena;
        this.earlyBytes = earlyBytes;
        memory = arena.allocate((long) Header.MAX_LABEL_BYTES + Header.MAX_INLINE_BYTES, 64);
    }

    /** {@return where the body of this START goes} */
    MemorySegment open(Header start) {
        header = start;
        complete = false;
        return memory.asSlice(0, start.bodyBytes());
    }

    boolean holds(long sequence) {
        return header != null && header.sequence() == sequence;
    }

    void setComplete() {
        complete = true;
    }

    boolean complete() {
        return complete;
    }

    void clear() {
        header = null;
        complete = false;
        arriving = false;
        count = 0;
        next = 0;
        received = 0;
        taken = 0;
    }

    /** {@return where the body of an early piece goes, or null if it cannot be one} */
    MemorySegment openEarly(Header piece) {
        if (!complete || piece.value() != received || piece.bodyBytes() > earlyBytes - received) {
            return null;
        }
        if (early.byteSize() == 0) {
            early = arena.allocate(earlyBytes, 64);
        }
        arriving = true;
        return early.asSlice(received, piece.bodyBytes());
    }

    /**
     * A piece is complete.
     *
     * @return whether it is an early one
     */
    boolean receivedEarly(int bytes) {
        boolean wasEarly = arriving;
        if (wasEarly) {
            arriving = false;
            received += bytes;
            pieces = count < pieces.length ? pieces : Arrays.copyOf(pieces, 2 * count);
            pieces[count++] = bytes;
        }
        return wasEarly;
    }

    /** {@return the next early piece, or nothing} */
    MemorySegment takeEarly() {
        if (next == count) {
            return MemorySegment.NULL;
        }
        MemorySegment piece = early.asSlice(taken, pieces[next++]);
        taken += piece.byteSize();
        return piece;
    }

    Descriptor descriptor() {
        byte[] label = memory.asSlice(0, header.labelBytes()).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
        return new Descriptor(
                header.operation(),
                header.reduce(),
                header.dtype(),
                header.root(),
                header.value(),
                new String(label, StandardCharsets.UTF_8),
                header.labelHash());
    }

    /** {@return how many bytes of an operand the peer takes at first} */
    long granted() {
        return header.credit() == 0 ? Long.MAX_VALUE : (long) header.credit() * Header.PIECE_BYTES;
    }

    /** {@return how many bytes of an operand the peer takes a second; 0 if as many as come} */
    long bytesPerSecond() {
        return (long) header.pace() << 10;
    }

    MemorySegment inline() {
        return memory.asSlice(header.labelBytes(), header.bodyBytes() - header.labelBytes());
    }
}
