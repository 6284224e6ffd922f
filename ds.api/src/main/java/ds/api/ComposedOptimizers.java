package ds.api;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Unary;

/** The steps of optimizers other than Adam, composed of the core. */
final class ComposedOptimizers {
    private ComposedOptimizers() {}

    static void lion(CoreKernels k, Lion lion, Tensor weights, Tensor gradient, Tensor momentum) {
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor direction = temporaries.f32(gradient.elements());
            k.axpby(lion.beta1(), momentum, 0, direction);
            k.axpby((1 - lion.beta1()) * lion.gradientScale(), gradient, 1, direction);
            sign(k, temporaries, direction);
            k.axpby(-lion.learningRate(), direction, 1 - lion.learningRate() * lion.weightDecay(), weights);
            k.axpby((1 - lion.beta2()) * lion.gradientScale(), gradient, lion.beta2(), momentum);
        }
    }

    /** {@code x = [x >= 0] - [-x >= 0] + (x - x)}: the last term is 0, or NaN where x is, which must not get lost. */
    private static void sign(CoreKernels k, Temporaries temporaries, Tensor x) {
        Tensor zero = temporaries.scalar(0);
        Tensor nan = temporaries.f32(x.elements());
        Tensor negative = temporaries.f32(x.elements());
        k.binary(Binary.SUBTRACT, x, x, Broadcast.NONE, nan);
        k.axpby(-1, x, 0, negative);
        k.binary(Binary.GREATER_EQUAL, negative, zero, Broadcast.SCALAR, negative);
        k.binary(Binary.GREATER_EQUAL, x, zero, Broadcast.SCALAR, x);
        k.binary(Binary.SUBTRACT, x, negative, Broadcast.NONE, x);
        k.binary(Binary.ADD, x, nan, Broadcast.NONE, x);
    }

    static void adagrad(CoreKernels k, Adagrad adagrad, Tensor weights, Tensor gradient, Tensor squares) {
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor g = decayed(k, temporaries, gradient, adagrad.gradientScale(), weights, adagrad.weightDecay());
            Tensor root = temporaries.f32(gradient.elements());
            k.unary(Unary.SQUARE, g, root);
            k.axpby(1, root, 1, squares);
            k.unary(Unary.SQRT, squares, root);
            k.binary(Binary.ADD, root, temporaries.scalar(adagrad.epsilon()), Broadcast.SCALAR, root);
            k.binary(Binary.DIVIDE, g, root, Broadcast.NONE, g);
            k.axpby(-adagrad.learningRate(), g, 1, weights);
        }
    }

    static void sgd(CoreKernels k, Sgd sgd, Tensor weights, Tensor gradient, Tensor velocity) {
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor g = decayed(k, temporaries, gradient, sgd.gradientScale(), weights, sgd.weightDecay());
            if (sgd.first()) {
                k.copy(g, velocity);
            } else {
                k.axpby(1 - sgd.dampening(), g, sgd.momentum(), velocity);
            }
            Tensor direction = velocity;
            if (sgd.nesterov()) {
                k.axpby(sgd.momentum(), velocity, 1, g);
                direction = g;
            }
            k.axpby(-sgd.learningRate(), direction, 1, weights);
        }
    }

    /** A temporary with {@code scale · gradient + decay · weights}. */
    private static Tensor decayed(
            CoreKernels k, Temporaries temporaries, Tensor gradient, double scale, Tensor weights, double decay) {
        Tensor g = temporaries.f32(gradient.elements());
        k.axpby(scale, gradient, 0, g);
        if (decay != 0) {
            k.axpby(decay, weights, 1, g);
        }
        return g;
    }

    static void lambMoments(CoreKernels k, Lamb lamb, Tensor gradient, Tensor first, Tensor second) {
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor g = temporaries.f32(gradient.elements());
            k.axpby(lamb.gradientScale(), gradient, 0, g);
            k.axpby(1 - lamb.beta1(), g, lamb.beta1(), first);
            k.unary(Unary.SQUARE, g, g);
            k.axpby(1 - lamb.beta2(), g, lamb.beta2(), second);
        }
    }

    static void lambDirection(CoreKernels k, Lamb lamb, Tensor weights, Tensor first, Tensor second, Tensor direction) {
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor epsilon = temporaries.scalar(lamb.epsilon());
            k.axpby(lamb.secondCorrection(), second, 0, direction);
            if (lamb.epsilonInRoot()) {
                k.binary(Binary.ADD, direction, epsilon, Broadcast.SCALAR, direction);
            }
            k.unary(Unary.SQRT, direction, direction);
            if (!lamb.epsilonInRoot()) {
                k.binary(Binary.ADD, direction, epsilon, Broadcast.SCALAR, direction);
            }
            k.binary(Binary.DIVIDE, first, direction, Broadcast.NONE, direction);
            k.axpby(lamb.weightDecay(), weights, lamb.firstCorrection(), direction);
        }
    }
}
