package ds.bench.breakdown;

import ds.api.Buffer;
import ds.api.TensorBackend;
import ds.bench.measure.AllProcessors;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Bytes per second between memory and all processors, over arrays of 256 MiB each, which no cache holds. As STREAM counts
 * (McCalpin, 1995): what the loop reads and writes, not what the caches fetch beside it.
 *
 * @param read {@code sum += a}
 * @param write {@code a = s}
 * @param copy {@code b = a}, by the system's own copy, or {@code a = b + s · c}, whichever moves more
 * @param update {@code a = s · a}: what an optimizer does
 */
record MemoryBandwidth(double read, double write, double copy, double update) {
    private static final VectorSpecies<Float> LANES = FloatVector.SPECIES_PREFERRED;
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final long ARRAY_BYTES = 256L << 20;
    private static final long BLOCK_BYTES = 256L << 10;
    private static final long STEP = 4L * LANES.vectorByteSize();

    /** {@return how long these loops take to move as much, in the same way} */
    double seconds(Moved moved) {
        double copied = Math.min(moved.read(), moved.written());
        return moved.updated() / update
                + 2 * copied / copy
                + (moved.read() - copied) / read
                + (moved.written() - copied) / write;
    }

    /**
     * {@return what this machine does, on as many threads as this process has processors}
     *
     * @param backend from which the memory comes: its pages are the kernels' pages
     */
    static MemoryBandwidth measure(TensorBackend backend) {
        AllProcessors processors = AllProcessors.ofThisProcess();
        try (Buffer a = backend.allocateHost(ARRAY_BYTES, "memoryBandwidth");
                Buffer b = backend.allocateHost(ARRAY_BYTES, "memoryBandwidth");
                Buffer c = backend.allocateHost(ARRAY_BYTES, "memoryBandwidth")) {
            List.of(a, b, c).forEach(buffer -> buffer.host().fill((byte) 1)); // no page is the system's page of zeros
            float[] sums = new float[processors.count()];
            double n = ARRAY_BYTES;
            double copy = 2 * n / seconds(processors, (i, at) -> block(b, at).copyFrom(block(a, at)));
            double triad = 3 * n / seconds(processors, (i, at) -> triad(block(a, at), block(b, at), block(c, at)));
            return new MemoryBandwidth(
                    n / seconds(processors, (i, at) -> sums[i] += read(block(a, at))),
                    n / seconds(processors, (i, at) -> block(a, at).fill((byte) 1)),
                    Math.max(copy, triad),
                    2 * n / seconds(processors, (i, at) -> update(block(a, at))));
        }
    }

    /** What is done with the block of each array that begins at this byte, on a thread of this number. */
    @FunctionalInterface
    private interface Loop {
        void run(int thread, long at);
    }

    /** Block by block: a loop that is called often is compiled as a whole. */
    private static double seconds(AllProcessors processors, Loop loop) {
        long blocks = ARRAY_BYTES / BLOCK_BYTES;
        return processors.seconds(i -> {
            long last = blocks * (i + 1) / processors.count();
            for (long block = blocks * i / processors.count(); block < last; block++) {
                loop.run(i, block * BLOCK_BYTES);
            }
        });
    }

    private static MemorySegment block(Buffer array, long at) {
        return array.host().asSlice(at, BLOCK_BYTES);
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
