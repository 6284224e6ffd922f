package ds.api;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Unary;

/** GELU and dropout, composed of the core. */
final class ComposedElementwise {
    private static final double SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
    private static final double CUBIC = 0.044715;

    private ComposedElementwise() {}

    static void biasGelu(CoreKernels k, Tensor x, Tensor bias, Tensor y) {
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor u = temporaries.f32Copy(x);
            k.binary(Binary.ADD, u, bias, Broadcast.ROW, u);
            Tensor tanh = tanhOfInner(k, temporaries, u);
            k.binary(Binary.ADD, tanh, temporaries.scalar(1), Broadcast.SCALAR, tanh);
            k.axpby(0.5, u, 0, u);
            k.binary(Binary.MULTIPLY, u, tanh, Broadcast.NONE, y);
        }
    }

    /** With h = tanh(inner): gelu' = 0.5 (1 + h) + 0.5 u (1 − h²) inner', inner' = sqrt(2/pi) (1 + 3 · 0.044715 u²). */
    static void biasGeluBackward(CoreKernels k, Tensor dy, Tensor x, Tensor bias, Tensor dx, Tensor dBias) {
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor one = temporaries.scalar(1);
            Tensor u = temporaries.f32Copy(x);
            k.binary(Binary.ADD, u, bias, Broadcast.ROW, u);
            Tensor h = tanhOfInner(k, temporaries, u);
            Tensor slope = temporaries.f32(x.shape().rows(), x.shape().columns());
            k.unary(Unary.SQUARE, u, slope);
            k.axpby(3 * CUBIC * SQRT_2_OVER_PI, slope, 0, slope);
            k.binary(Binary.ADD, slope, temporaries.scalar(SQRT_2_OVER_PI), Broadcast.SCALAR, slope);
            k.binary(Binary.MULTIPLY, slope, u, Broadcast.NONE, slope);
            k.unary(Unary.SQUARE, h, u);
            k.axpby(-1, u, 0, u);
            k.binary(Binary.ADD, u, one, Broadcast.SCALAR, u);
            k.binary(Binary.MULTIPLY, slope, u, Broadcast.NONE, slope);
            k.binary(Binary.ADD, slope, h, Broadcast.NONE, slope);
            k.binary(Binary.ADD, slope, one, Broadcast.SCALAR, slope);
            k.axpby(0.5, slope, 0, slope);
            k.binary(Binary.MULTIPLY, slope, dy, Broadcast.NONE, slope);
            k.sumColumns(slope, dBias, 1);
            k.copy(slope, dx);
        }
    }

    static void dropout(CoreKernels k, Tensor x, Dropout dropout, Tensor y) {
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor kept = temporaries.f32(x.elements());
            k.uniform(dropout.random(), kept);
            k.binary(Binary.GREATER_EQUAL, kept, temporaries.scalar(dropout.rate()), Broadcast.SCALAR, kept);
            k.axpby(1 / (1.0 - dropout.rate()), kept, 0, kept);
            k.binary(Binary.MULTIPLY, x, kept, Broadcast.NONE, y);
        }
    }

    private static Tensor tanhOfInner(CoreKernels k, Temporaries temporaries, Tensor u) {
        Tensor inner = temporaries.f32Copy(u);
        k.unary(Unary.SQUARE, u, inner);
        k.axpby(CUBIC * SQRT_2_OVER_PI, inner, 0, inner);
        k.binary(Binary.ADD, inner, temporaries.scalar(SQRT_2_OVER_PI), Broadcast.SCALAR, inner);
        k.binary(Binary.MULTIPLY, inner, u, Broadcast.NONE, inner);
        k.unary(Unary.TANH, inner, inner);
        return inner;
    }
}
