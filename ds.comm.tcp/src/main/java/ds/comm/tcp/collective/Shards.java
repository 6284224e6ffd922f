package ds.comm.tcp.collective;

import java.lang.foreign.MemorySegment;

/** How a buffer is divided among ranks: evenly, and where the count does not divide, the first ranks have one element more. */
final class Shards {
    private Shards() {}

    /** {@return the part of each of {@code size} ranks} */
    static MemorySegment[] of(MemorySegment whole, long count, int elementBytes, int size) {
        MemorySegment[] parts = new MemorySegment[size];
        long at = 0;
        for (int r = 0; r < size; r++) {
            long bytes = (count / size + (r < count % size ? 1 : 0)) * elementBytes;
            parts[r] = whole.asSlice(at, bytes);
            at += bytes;
        }
        return parts;
    }
}
