package ds.api;

import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Rows;

/** Attention to a cache of keys and values, composed of the core. */
final class ComposedCachedAttention {
    private ComposedCachedAttention() {}

    static void run(CoreKernels k, Tensor qkv, Tensor keys, Tensor values, long past, int heads, Tensor y) {
        long batch = qkv.shape().dim(0);
        long t = qkv.shape().dim(1);
        long c = qkv.shape().dim(2) / 3;
        long capacity = keys.shape().dim(1);
        for (long b = 0; b < batch; b++) {
            long from = b * t * 3 * c;
            Rows newKeys = new Rows(qkv, from + c, 3 * c);
            Rows newValues = new Rows(qkv, from + 2 * c, 3 * c);
            k.copyRows(newKeys, new Rows(keys, (b * capacity + past) * c, c), t, c);
            k.copyRows(newValues, new Rows(values, (b * capacity + past) * c, c), t, c);
            for (long h = 0; h < heads; h++) {
                long head = h * (c / heads);
                Rows query = new Rows(qkv, from + head, 3 * c);
                Rows key = new Rows(keys, b * capacity * c + head, c);
                Rows value = new Rows(values, b * capacity * c + head, c);
                Rows out = new Rows(y, b * t * c + head, c);
                oneHead(k, new Rows[] {query, key, value, out}, t, past + t, c / heads);
            }
        }
    }

    private static void oneHead(CoreKernels k, Rows[] parts, long t, long length, long size) {
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor q = temporaries.f32(t, size);
            Tensor key = temporaries.f32(length, size);
            Tensor value = temporaries.f32(length, size);
            k.copyRows(parts[0], new Rows(q, 0, size), t, size);
            k.copyRows(parts[1], new Rows(key, 0, size), length, size);
            k.copyRows(parts[2], new Rows(value, 0, size), length, size);
            Tensor scores = temporaries.f32(t, length);
            Tensor row = temporaries.f32(t);
            Tensor causal = temporaries.causal(t, length, length - t);
            k.matmul(Operand.of(q), Operand.transposed(key), scores, 0);
            k.axpby(1 / Math.sqrt(size), scores, 0, scores);
            ComposedAttention.logSumExp(k, scores, causal, row);
            ComposedAttention.probabilities(k, scores, causal, row);
            k.matmul(Operand.of(scores), Operand.of(value), q, 0);
            k.copyRows(new Rows(q, 0, size), parts[3], t, size);
        }
    }
}
