package ds.api;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Reduction;
import ds.api.CoreKernels.Rows;
import ds.api.CoreKernels.Unary;

/** Softmax cross-entropy, composed of the core; row by row, so that the temporaries stay small. */
final class ComposedCrossEntropy {
    private ComposedCrossEntropy() {}

    static void run(CoreKernels k, Tensor logits, Tensor targets, long vocabulary, double scale, Tensor losses) {
        long padded = logits.shape().columns();
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor row = temporaries.f32(1, vocabulary);
            Tensor oneHot = temporaries.f32(vocabulary, 1);
            Tensor one = temporaries.scalar(1).reshape(1, 1);
            Tensor max = temporaries.f32(1);
            Tensor product = temporaries.f32(1, vocabulary);
            for (long i = 0; i < logits.shape().rows(); i++) {
                Tensor loss = losses.slice(i, 1);
                k.copyRows(new Rows(logits, i * padded, padded), new Rows(row, 0, vocabulary), 1, vocabulary);
                k.reduceRows(Reduction.MAX, row, max);
                k.binary(Binary.SUBTRACT, row, max, Broadcast.SCALAR, row);
                k.fill(oneHot, 0);
                k.scatterAddRows(one, targets.slice(i, 1), oneHot);
                k.binary(Binary.MULTIPLY, row, oneHot, Broadcast.NONE, product);
                k.reduceRows(Reduction.SUM, product, loss); // the target's shifted logit
                k.unary(Unary.EXP, row, row);
                k.reduceRows(Reduction.SUM, row, max);
                k.binary(Binary.DIVIDE, row, max, Broadcast.SCALAR, row);
                k.unary(Unary.LOG, max, max);
                k.binary(Binary.SUBTRACT, max, loss, Broadcast.NONE, loss);
                if (scale != 0) {
                    k.binary(Binary.SUBTRACT, row, oneHot, Broadcast.NONE, row);
                    k.axpby(scale, row, 0, row);
                    k.fill(logits.rows(i, 1), 0);
                    k.copyRows(new Rows(row, 0, vocabulary), new Rows(logits, i * padded, padded), 1, vocabulary);
                }
            }
        }
    }

    static void softmax(CoreKernels k, Tensor x, Tensor logSumExp, double scale) {
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor wide = temporaries.f32(x.shape().rows(), x.shape().columns());
            k.binary(Binary.SUBTRACT, x, logSumExp, Broadcast.COLUMN, wide);
            k.unary(Unary.EXP, wide, wide);
            k.axpby(scale, wide, 0, x);
        }
    }
}
