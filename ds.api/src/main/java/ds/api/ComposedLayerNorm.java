package ds.api;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Reduction;
import ds.api.CoreKernels.Unary;

/** Layer normalisation, composed of the core. */
final class ComposedLayerNorm {
    private ComposedLayerNorm() {}

    static void forward(CoreKernels k, Tensor x, LayerNorm norm, Tensor y) {
        long columns = x.shape().columns();
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor centred = temporaries.f32(x.shape().rows(), columns);
            k.reduceRows(Reduction.SUM, x, norm.mean());
            k.axpby(1.0 / columns, norm.mean(), 0, norm.mean());
            k.binary(Binary.SUBTRACT, x, norm.mean(), Broadcast.COLUMN, centred);
            Tensor squares = temporaries.f32(x.shape().rows(), columns);
            k.unary(Unary.SQUARE, centred, squares);
            k.reduceRows(Reduction.SUM, squares, norm.rstd());
            k.axpby(1.0 / columns, norm.rstd(), 0, norm.rstd());
            k.binary(Binary.ADD, norm.rstd(), temporaries.scalar(norm.epsilon()), Broadcast.SCALAR, norm.rstd());
            k.unary(Unary.SQRT, norm.rstd(), norm.rstd());
            k.unary(Unary.RECIPROCAL, norm.rstd(), norm.rstd());
            k.binary(Binary.MULTIPLY, centred, norm.rstd(), Broadcast.COLUMN, centred);
            k.binary(Binary.MULTIPLY, centred, norm.weight(), Broadcast.ROW, centred);
            k.binary(Binary.ADD, centred, norm.bias(), Broadcast.ROW, y);
        }
    }

    /** With n = (x − mean) rstd and g = dy weight: dx += rstd (g − mean(g) − n mean(g n)), means over the row. */
    static void backward(CoreKernels k, Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {
        long rows = x.shape().rows();
        long columns = x.shape().columns();
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor n = temporaries.f32(rows, columns);
            k.binary(Binary.SUBTRACT, x, norm.mean(), Broadcast.COLUMN, n);
            k.binary(Binary.MULTIPLY, n, norm.rstd(), Broadcast.COLUMN, n);
            Tensor product = temporaries.f32(rows, columns);
            k.binary(Binary.MULTIPLY, n, dy, Broadcast.NONE, product);
            k.sumColumns(product, gradients.weight(), 1);
            k.sumColumns(dy, gradients.bias(), 1);

            Tensor g = temporaries.f32(rows, columns);
            k.binary(Binary.MULTIPLY, dy, norm.weight(), Broadcast.ROW, g);
            k.binary(Binary.MULTIPLY, g, n, Broadcast.NONE, product);
            Tensor mean = temporaries.f32(rows);
            k.reduceRows(Reduction.SUM, product, mean);
            k.axpby(1.0 / columns, mean, 0, mean);
            k.binary(Binary.MULTIPLY, n, mean, Broadcast.COLUMN, n);
            k.reduceRows(Reduction.SUM, g, mean);
            k.axpby(1.0 / columns, mean, 0, mean);
            k.binary(Binary.SUBTRACT, g, mean, Broadcast.COLUMN, g);
            k.binary(Binary.SUBTRACT, g, n, Broadcast.NONE, g);
            k.binary(Binary.MULTIPLY, g, norm.rstd(), Broadcast.COLUMN, g);
            k.axpby(1, g, 1, dx);
        }
    }
}
