package ds.comm.tcp.group;

import ds.comm.tcp.frame.Header;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;

/** Where pieces of the members of a group wait to be combined, and how far ahead of the others one may get. */
final class Inboxes {
    /** How far ahead of the slowest a peer may be, where that is more than {@link #earlyBytes}. */
    private static final long AHEAD_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    /** What peers may send to a rank before it has begun: in all, and each. */
    private static final long ALL_EARLY_BYTES = 4 << 20;

    private static final long MOST_EARLY_PIECES = 4;

    private final Arena arena;
    private final MemorySegment[] inboxes;
    private final long mostBytes;
    private final long earlyBytes;
    private long windowBytes;

    /**
     * Allocates nothing yet.
     *
     * @param bytes of each
     * @param arena of the group
     */
    Inboxes(Arena arena, int size, long bytes) {
        this.arena = arena;
        inboxes = new MemorySegment[size];
        earlyBytes =
                Math.clamp(ALL_EARLY_BYTES / size / Header.PIECE_BYTES, 2L, MOST_EARLY_PIECES) * Header.PIECE_BYTES;
        mostBytes = Math.max(earlyBytes, bytes);
        windowBytes = mostBytes;
    }

    /** {@return where pieces of a member wait} */
    MemorySegment of(int member) {
        if (inboxes[member] == null) {
            inboxes[member] = arena.allocate(mostBytes, 64);
        }
        return inboxes[member].asSlice(0, windowBytes);
    }

    /** {@return what a member may send of an operand before it knows that the receiver has begun, the same on all ranks} */
    long earlyBytes() {
        return earlyBytes;
    }

    /**
     * {@return how much of an inbox a peer may fill: a whole number of pieces} On a slow link a peer that gets far ahead takes
     * from the others what they will need in the end, alone on the link and slowed by what they were used to.
     */
    long windowBytes() {
        return windowBytes;
    }

    /** Takes note of how long each peer took for so many bytes. */
    void received(long bytes, long nanos) {
        if (bytes >= earlyBytes && nanos > 0) {
            double ahead = (double) bytes / nanos * AHEAD_NANOS;
            long pieces = (long) Math.min(ahead, mostBytes) / Header.PIECE_BYTES;
            windowBytes = Math.min(mostBytes, Math.max(earlyBytes, pieces * Header.PIECE_BYTES));
        }
    }
}
