package ds.bench.breakdown;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Bytes per second between memory and all processors, over arrays of 256 MiB each, which no cache holds. As STREAM counts
 * (McCalpin, 1995): what the loop reads and writes, not what the caches fetch beside it.
 *
 * @param read {@code sum += a}
 * @param copy {@code b = a}, by the system's own copy
 * @param update {@code a = s · a}: what an optimizer does
 * @param triad {@code a = b + s · c}
 */
record MemoryBandwidth(double read, double copy, double update, double triad) {
    private static final VectorSpecies<Float> LANES = FloatVector.SPECIES_PREFERRED;
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final long ARRAY_BYTES = 256L << 20;
    private static final long STEP = 4L * LANES.vectorByteSize();

    /** {@return the limit of a kernel: the best of the loops that write as well} */
    double bytesPerSecond() {
        return Math.max(copy, Math.max(update, triad));
    }

    /** {@return what this machine does, on as many threads as this process has processors} */
    static MemoryBandwidth measure() {
        AllProcessors processors = AllProcessors.ofThisProcess();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment[] a = parts(arena, processors.count());
            MemorySegment[] b = parts(arena, processors.count());
            MemorySegment[] c = parts(arena, processors.count());
            float[] sums = new float[processors.count()];
            double bytes = (double) a[0].byteSize() * processors.count();
            return new MemoryBandwidth(
                    bytes / processors.seconds(i -> sums[i] += read(a[i])),
                    2 * bytes / processors.seconds(i -> b[i].copyFrom(a[i])),
                    2 * bytes / processors.seconds(i -> update(a[i])),
                    3 * bytes / processors.seconds(i -> triad(a[i], b[i], c[i])));
        }
    }

    /** {@return one array, in a part for each thread, every page of it touched} */
    private static MemorySegment[] parts(Arena arena, int count) {
        long bytes = ARRAY_BYTES / count / STEP * STEP;
        MemorySegment all = arena.allocate(bytes * count, 64).fill((byte) 0);
        MemorySegment[] parts = new MemorySegment[count];
        for (int i = 0; i < count; i++) {
            parts[i] = all.asSlice(i * bytes, bytes);
        }
        return parts;
    }

    private static FloatVector load(MemorySegment from, long at) {
        return FloatVector.fromMemorySegment(LANES, from, at, ORDER);
    }

    private static float read(MemorySegment a) {
        long width = LANES.vectorByteSize();
        FloatVector s0 = FloatVector.zero(LANES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        for (long i = 0; i < a.byteSize(); i += STEP) {
            s0 = s0.add(load(a, i));
            s1 = s1.add(load(a, i + width));
            s2 = s2.add(load(a, i + 2 * width));
            s3 = s3.add(load(a, i + 3 * width));
        }
        return s0.add(s1).add(s2.add(s3)).lane(0);
    }

    private static void update(MemorySegment a) {
        for (long i = 0; i < a.byteSize(); i += LANES.vectorByteSize()) {
            load(a, i).mul(0.5f).intoMemorySegment(a, i, ORDER);
        }
    }

    private static void triad(MemorySegment a, MemorySegment b, MemorySegment c) {
        for (long i = 0; i < a.byteSize(); i += LANES.vectorByteSize()) {
            load(b, i).add(load(c, i).mul(0.5f)).intoMemorySegment(a, i, ORDER);
        }
    }
}
