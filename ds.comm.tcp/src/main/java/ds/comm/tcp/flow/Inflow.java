package ds.comm.tcp.flow;

import ds.comm.tcp.frame.Header;
import java.lang.foreign.MemorySegment;

/**
 * What one peer sends for one operation: in order, straight into the memory where it belongs, or into an inbox that is used
 * as a ring.
 */
public abstract sealed class Inflow {
    private final long total;
    private long received;

    private Inflow(long total) {
        this.total = total;
    }

    /** {@return where a piece belongs, or null if it is none that was expected} */
    public final MemorySegment accept(long offset, int bytes) {
        return offset == received ? place(bytes) : null;
    }

    abstract MemorySegment place(int bytes);

    public final void add(int bytes) {
        received += bytes;
    }

    public final long received() {
        return received;
    }

    public final long total() {
        return total;
    }

    public final boolean complete() {
        return received == total;
    }

    /** Straight to where it belongs. */
    public static final class Straight extends Inflow {
        private final Parts parts;

        public Straight(Parts parts) {
            super(parts.total());
            this.parts = parts;
        }

        @Override
        MemorySegment place(int bytes) {
            return bytes <= parts.frameBytes(received()) ? parts.slice(received(), bytes) : null;
        }
    }

    /** Through memory that is used again and again. */
    public static final class Inbox extends Inflow {
        private final MemorySegment memory;
        private long granted;

        /**
         * Expects bytes.
         *
         * @param memory whose size is a multiple of {@link Header#PIECE_BYTES}
         */
        public Inbox(MemorySegment memory, long total) {
            super(total);
            this.memory = memory;
            granted = Math.min(total, memory.byteSize());
        }

        @Override
        MemorySegment place(int bytes) {
            long inMemory = received() % memory.byteSize();
            boolean expected = bytes <= Header.PIECE_BYTES
                    && bytes <= granted - received()
                    && inMemory % Header.PIECE_BYTES == 0
                    && bytes <= memory.byteSize() - inMemory;
            return expected ? memory.asSlice(inMemory, bytes) : null;
        }

        /** {@return what has been received, from one offset to another that lies in the same piece} */
        public MemorySegment slice(long offset, long bytes) {
            return memory.asSlice(offset % memory.byteSize(), bytes);
        }

        /**
         * The bytes before {@code offset} have been used: their room is granted again.
         *
         * @return whether the peer may send more than before
         */
        public boolean release(long offset) {
            long before = granted;
            granted = Math.min(total(), offset + memory.byteSize());
            return granted > before;
        }

        public long granted() {
            return granted;
        }
    }
}
