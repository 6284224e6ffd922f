package ds.comm.tcp.flow;

import ds.comm.tcp.frame.Header;
import java.lang.foreign.MemorySegment;

/** Pieces of memory that follow each other in one flow: where its bytes come from or go to. */
public final class Parts {
    private final MemorySegment[] parts;
    private final long total;

    private Parts(MemorySegment[] parts, long total) {
        this.parts = parts;
        this.total = total;
    }

    public static Parts of(MemorySegment... parts) {
        long total = 0;
        for (MemorySegment part : parts) {
            total += part.byteSize();
        }
        return new Parts(parts, total);
    }

    public long total() {
        return total;
    }

    /** {@return the bytes of the frame that begins at this offset: it ends with its part} */
    public int frameBytes(long offset) {
        long start = 0;
        for (MemorySegment part : parts) {
            long left = start + part.byteSize() - offset;
            if (left > 0) {
                return (int) Math.min(Header.PIECE_BYTES, left);
            }
            start += part.byteSize();
        }
        return 0;
    }

    /** {@return bytes that lie in one part} */
    public MemorySegment slice(long offset, long bytes) {
        long start = 0;
        for (MemorySegment part : parts) {
            if (offset < start + part.byteSize()) {
                return part.asSlice(offset - start, bytes);
            }
            start += part.byteSize();
        }
        throw new IndexOutOfBoundsException("offset " + offset + " of " + total + " bytes");
    }
}
