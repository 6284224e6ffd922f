package ds.bench;

import ds.bench.measure.AllProcessors;
import java.lang.foreign.MemorySegment;

/** What the machine's memory does when nothing else is done, by all processors: bytes read and written per second. */
final class RawMemory {
    private static final int TRIAD_ELEMENTS = 16 << 20; // 64 MiB of each array, beyond any cache

    private final AllProcessors processors = AllProcessors.ofThisProcess();
    private final int threads = processors.count();
    private final float[][] a;
    private final float[][] b;
    private final float[][] c;

    RawMemory() {
        a = new float[threads][TRIAD_ELEMENTS / threads];
        b = new float[threads][TRIAD_ELEMENTS / threads];
        c = new float[threads][TRIAD_ELEMENTS / threads];
    }

    int threads() {
        return threads;
    }

    /** {@return of a copy by the C library, which writes past the caches} */
    double copy(MemorySegment from, MemorySegment to) {
        long part = Math.ceilDiv(from.byteSize(), threads);
        double seconds = processors.run(thread -> {
            long first = Math.min(from.byteSize(), thread * part);
            long bytes = Math.min(part, from.byteSize() - first);
            MemorySegment.copy(from, first, to, first, bytes);
        });
        return 2 * from.byteSize() / seconds;
    }

    /** {@return of {@code a = b + 3 c}, as STREAM counts it: three times four bytes an element} */
    double triad() {
        double seconds = processors.run(thread -> triad(a[thread], b[thread], c[thread]));
        return 3.0 * Float.BYTES * threads * a[0].length / seconds;
    }

    private static void triad(float[] a, float[] b, float[] c) {
        for (int i = 0; i < a.length; i++) {
            a[i] = b[i] + 3 * c[i];
        }
    }
}
