package ds.comm.tcp.group;

import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.Header;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;

/**
 * The last START but one, or the last one, that a peer has sent in a lane, with what of its operand came before this rank got there; its
 * memory is used again and again.
 */
final class Announcement {
    private final MemorySegment memory;
    private final EarlyBytes early;
    private Header header;
    private boolean complete;

    /**
     * Holds nothing.
     *
     * @param earlyBytes that a peer may send before this rank has begun
     */
    Announcement(Arena arena, long earlyBytes) {
        early = new EarlyBytes(arena, earlyBytes);
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
        early.clear();
    }

    EarlyBytes early() {
        return early;
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
        return header.bytesPerSecond();
    }

    MemorySegment inline() {
        return memory.asSlice(header.labelBytes(), header.bodyBytes() - header.labelBytes());
    }
}
