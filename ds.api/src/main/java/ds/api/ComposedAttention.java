package ds.api;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Reduction;
import ds.api.CoreKernels.Rows;
import ds.api.CoreKernels.Unary;

/** Causal attention head by head, with the matrix of probabilities in memory: the reference for kernels that avoid it. */
final class ComposedAttention {
    private ComposedAttention() {}

    /** Dims of one call. */
    private record Dims(long batch, long time, long channels, int heads) {
        Dims(Tensor qkv, Attention attention) {
            this(qkv.shape().dim(0), qkv.shape().dim(1), qkv.shape().dim(2) / 3, attention.heads());
        }

        long size() {
            return channels / heads;
        }

        double scale() {
            return 1 / Math.sqrt(size());
        }

        /** Where part (0 query, 1 key, 2 value) of a head begins in {@code [B, T, 3C]}. */
        Rows part(Tensor qkv, long b, long h, int part) {
            return new Rows(qkv, b * time * 3 * channels + part * channels + h * size(), 3 * channels);
        }

        /** Where a head begins in {@code [B, T, C]}. */
        Rows head(Tensor y, long b, long h) {
            return new Rows(y, b * time * channels + h * size(), channels);
        }
    }

    static void forward(CoreKernels k, Tensor qkv, Attention attention, Tensor y, Tensor logSumExp) {
        Dims dims = new Dims(qkv, attention);
        long t = dims.time();
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor causal = temporaries.causal(t, t, 0);
            Tensor q = temporaries.f32(t, dims.size());
            Tensor key = temporaries.f32(t, dims.size());
            Tensor v = temporaries.f32(t, dims.size());
            Tensor out = temporaries.f32(t, dims.size());
            Tensor scores = temporaries.f32(t, t);
            for (long b = 0; b < dims.batch(); b++) {
                for (long h = 0; h < dims.heads(); h++) {
                    copyOut(k, dims.part(qkv, b, h, 0), q);
                    copyOut(k, dims.part(qkv, b, h, 1), key);
                    copyOut(k, dims.part(qkv, b, h, 2), v);
                    Tensor row = logSumExp.slice((b * dims.heads() + h) * t, t);
                    k.matmul(Operand.of(q), Operand.transposed(key), scores, 0);
                    k.axpby(dims.scale(), scores, 0, scores);
                    logSumExp(k, scores, causal, row);
                    probabilities(k, scores, causal, row);
                    drop(k, scores, attention.dropout(), (b * dims.heads() + h) * t * t);
                    k.matmul(Operand.of(scores), Operand.of(v), out, 0);
                    k.copyRows(new Rows(out, 0, dims.size()), dims.head(y, b, h), t, dims.size());
                }
            }
        }
    }

    static void backward(
            CoreKernels k, Tensor dy, Tensor qkv, Attention attention, Tensor y, Tensor logSumExp, Tensor dqkv) {
        Dims dims = new Dims(qkv, attention);
        long t = dims.time();
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor causal = temporaries.causal(t, t, 0);
            Tensor p = temporaries.f32(t, t);
            Tensor dropped = temporaries.f32(t, t);
            Tensor dp = temporaries.f32(t, t);
            Tensor mean = temporaries.f32(t);
            Tensor q = temporaries.f32(t, dims.size());
            Tensor key = temporaries.f32(t, dims.size());
            Tensor v = temporaries.f32(t, dims.size());
            Tensor dOut = temporaries.f32(t, dims.size());
            Tensor part = temporaries.f32(t, dims.size());
            for (long b = 0; b < dims.batch(); b++) {
                for (long h = 0; h < dims.heads(); h++) {
                    copyOut(k, dims.part(qkv, b, h, 0), q);
                    copyOut(k, dims.part(qkv, b, h, 1), key);
                    copyOut(k, dims.part(qkv, b, h, 2), v);
                    copyOut(k, dims.head(dy, b, h), dOut);
                    long first = (b * dims.heads() + h) * t * t;
                    k.matmul(Operand.of(q), Operand.transposed(key), p, 0);
                    k.axpby(dims.scale(), p, 0, p);
                    probabilities(k, p, causal, logSumExp.slice((b * dims.heads() + h) * t, t));
                    k.copy(p, dropped);
                    drop(k, dropped, attention.dropout(), first);
                    k.matmul(Operand.transposed(dropped), Operand.of(dOut), part, 0);
                    k.copyRows(new Rows(part, 0, dims.size()), dims.part(dqkv, b, h, 2), t, dims.size());

                    // Softmax: dS = P (dP − sum over the row of P dP).
                    k.matmul(Operand.of(dOut), Operand.transposed(v), dp, 0);
                    drop(k, dp, attention.dropout(), first);
                    k.binary(Binary.MULTIPLY, p, dp, Broadcast.NONE, dropped);
                    k.reduceRows(Reduction.SUM, dropped, mean);
                    k.binary(Binary.SUBTRACT, dp, mean, Broadcast.COLUMN, dp);
                    k.binary(Binary.MULTIPLY, dp, p, Broadcast.NONE, dp);
                    k.axpby(dims.scale(), dp, 0, dp);
                    k.matmul(Operand.of(dp), Operand.of(key), part, 0);
                    k.copyRows(new Rows(part, 0, dims.size()), dims.part(dqkv, b, h, 0), t, dims.size());
                    k.matmul(Operand.transposed(dp), Operand.of(q), part, 0);
                    k.copyRows(new Rows(part, 0, dims.size()), dims.part(dqkv, b, h, 1), t, dims.size());
                }
            }
        }
    }

    /** {@code row = log(sum over visible columns of exp(score))}, shifted by the largest score so that nothing overflows. */
    static void logSumExp(CoreKernels k, Tensor scores, Tensor causal, Tensor row) {
        long rows = scores.shape().rows();
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor shifted = temporaries.f32(rows, scores.shape().columns());
            Tensor max = temporaries.f32(rows);
            // Hidden scores become −1e30, so that the largest one is a visible one.
            k.copy(causal, shifted);
            k.binary(Binary.SUBTRACT, shifted, temporaries.scalar(1), Broadcast.SCALAR, shifted);
            k.axpby(1e30, shifted, 0, shifted);
            k.binary(Binary.ADD, shifted, scores, Broadcast.NONE, shifted);
            k.reduceRows(Reduction.MAX, shifted, max);
            k.binary(Binary.SUBTRACT, shifted, max, Broadcast.COLUMN, shifted);
            k.unary(Unary.EXP, shifted, shifted);
            k.reduceRows(Reduction.SUM, shifted, row);
            k.unary(Unary.LOG, row, row);
            k.binary(Binary.ADD, row, max, Broadcast.NONE, row);
        }
    }

    /** {@code scores = exp(scores − row)} where visible, else 0. */
    static void probabilities(CoreKernels k, Tensor scores, Tensor causal, Tensor row) {
        k.binary(Binary.SUBTRACT, scores, row, Broadcast.COLUMN, scores);
        k.binary(Binary.MULTIPLY, scores, causal, Broadcast.NONE, scores); // a hidden score could overflow exp
        k.unary(Unary.EXP, scores, scores);
        k.binary(Binary.MULTIPLY, scores, causal, Broadcast.NONE, scores);
    }

    private static void drop(CoreKernels k, Tensor p, Dropout dropout, long first) {
        if (dropout.active()) {
            CounterRandom random = dropout.random();
            CounterRandom head = new CounterRandom(random.key(), random.first() + first);
            ComposedElementwise.dropout(k, p, new Dropout(dropout.rate(), head), p);
        }
    }

    /** Copies the rows of one head to a matrix of their own. */
    private static void copyOut(CoreKernels k, Rows from, Tensor to) {
        long size = to.shape().columns();
        k.copyRows(from, new Rows(to, 0, size), to.shape().rows(), size);
    }
}
