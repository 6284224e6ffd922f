package ds.api;

import ds.api.CoreKernels.Rows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Quantization, of which the core has nothing: through host memory, by the scalars of {@link Quantization}. */
final class ComposedQuantization {
    private ComposedQuantization() {}

    static void quantize(CoreKernels k, Tensor x, Quantization q, Rows words) {
        long n = x.shape().columns();
        long rowWords = q.words(n);
        q.requireRows("quantize", words, x.shape().rows(), n);
        try (Temporaries temporaries = new Temporaries(k);
                Arena arena = Arena.ofShared()) {
            Tensor f32 = temporaries.f32Copy(x);
            MemorySegment row = arena.allocate(n * Float.BYTES, 64);
            float[] block = new float[q.blockElements()];
            MemorySegment made = arena.allocate(rowWords * Integer.BYTES, 64);
            for (long r = 0; r < x.shape().rows(); r++) {
                HostCopies.download(k, f32.slice(r * n, n), row);
                for (long b = 0; b < q.blocks(n); b++) {
                    int count = q.elements(n, b);
                    MemorySegment.copy(row, ValueLayout.JAVA_FLOAT, offset(q, b), block, 0, count);
                    q.encodeBlock(block, count, made, n, b);
                }
                HostCopies.upload(k, made, row(words, r, rowWords));
            }
        }
    }

    static void dequantize(CoreKernels k, Rows words, Quantization q, Tensor y) {
        long n = y.shape().columns();
        q.requireRows("dequantize", words, y.shape().rows(), n);
        for (long r = 0; r < y.shape().rows(); r++) {
            sum(k, new Rows(words.tensor(), words.first() + r * words.stride(), 0), 1, q, y.slice(r * n, n));
        }
    }

    static void sum(CoreKernels k, Rows words, long rows, Quantization q, Tensor y) {
        long n = y.elements();
        long rowWords = q.words(n);
        q.requireRows("sumQuantized", words, rows, n);
        try (Temporaries temporaries = new Temporaries(k);
                Arena arena = Arena.ofShared()) {
            MemorySegment given = arena.allocate(rowWords * Integer.BYTES, 64);
            MemorySegment sums = arena.allocate(n * Float.BYTES, 64);
            float[] block = new float[q.blockElements()];
            for (long r = 0; r < rows; r++) {
                HostCopies.download(k, row(words, r, rowWords), given);
                for (long b = 0; b < q.blocks(n); b++) {
                    int count = q.elements(n, b);
                    q.decodeBlock(given, n, b, block, count);
                    for (int i = 0; i < count; i++) {
                        long at = b * q.blockElements() + i;
                        float before = r == 0 ? 0 : sums.getAtIndex(ValueLayout.JAVA_FLOAT, at);
                        sums.setAtIndex(ValueLayout.JAVA_FLOAT, at, before + block[i]);
                    }
                }
            }
            Tensor f32 = temporaries.f32(n);
            k.backend().upload(sums, f32, k.stream());
            k.copy(f32, y.reshape(n));
            k.stream().synchronize();
        }
    }

    private static long offset(Quantization q, long block) {
        return block * q.blockElements() * Float.BYTES;
    }

    private static Tensor row(Rows words, long row, long count) {
        return words.tensor().slice(words.first() + row * words.stride(), count);
    }
}
