package ds.api;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Kernels on the bits of numbers, of which the core has none: through host memory, by the scalars of {@link Bf16}. */
final class ComposedBf16 {
    private static final long CHUNK = 1 << 16; // elements

    private ComposedBf16() {}

    /** What is done with a chunk in host memory. */
    @FunctionalInterface
    private interface Body {
        void run(long first, int n, MemorySegment f32, MemorySegment nearest, MemorySegment rest);
    }

    static void roundStochastically(CoreKernels k, Tensor x, CounterRandom random, Tensor y) {
        inChunks(x.elements(), (first, n, f32, rounded, _) -> {
            HostCopies.download(k, x.slice(first, n), f32);
            for (int i = 0; i < n; i++) {
                float value = f32.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                rounded.setAtIndex(ValueLayout.JAVA_SHORT, i, Bf16.stochastic(value, random.bits16(first + i)));
            }
            HostCopies.upload(k, rounded, y.slice(first, n));
        });
    }

    static void split(CoreKernels k, Tensor x, Tensor nearest, Tensor rest) {
        inChunks(x.elements(), (first, n, f32, upper, lower) -> {
            HostCopies.download(k, x.slice(first, n), f32);
            for (int i = 0; i < n; i++) {
                float value = f32.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                upper.setAtIndex(ValueLayout.JAVA_SHORT, i, Bf16.nearest(value));
                lower.setAtIndex(ValueLayout.JAVA_SHORT, i, Bf16.rest(value));
            }
            HostCopies.upload(k, upper, nearest.slice(first, n));
            HostCopies.upload(k, lower, rest.slice(first, n));
        });
    }

    static void join(CoreKernels k, Tensor nearest, Tensor rest, Tensor x) {
        inChunks(x.elements(), (first, n, f32, upper, lower) -> {
            HostCopies.download(k, nearest.slice(first, n), upper);
            HostCopies.download(k, rest.slice(first, n), lower);
            for (int i = 0; i < n; i++) {
                float value = Bf16.join(
                        upper.getAtIndex(ValueLayout.JAVA_SHORT, i), lower.getAtIndex(ValueLayout.JAVA_SHORT, i));
                f32.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
            }
            HostCopies.upload(k, f32, x.slice(first, n));
        });
    }

    private static void inChunks(long elements, Body body) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment f32 = arena.allocate(CHUNK * Float.BYTES, 64);
            MemorySegment upper = arena.allocate(CHUNK * Short.BYTES, 64);
            MemorySegment lower = arena.allocate(CHUNK * Short.BYTES, 64);
            for (long first = 0; first < elements; first += CHUNK) {
                body.run(first, (int) Math.min(CHUNK, elements - first), f32, upper, lower);
            }
        }
    }
}
