package ds.api;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Unary;

/** One Adam step, composed of the core. */
final class ComposedAdam {
    private ComposedAdam() {}

    static void run(CoreKernels k, Adam adam, Tensor weights, Tensor gradient, Tensor m, Tensor v) {
        double mCorrection = adam.biasCorrection() ? 1 - Math.pow(adam.beta1(), adam.step()) : 1;
        double vCorrection = adam.biasCorrection() ? 1 - Math.pow(adam.beta2(), adam.step()) : 1;
        try (Temporaries temporaries = new Temporaries(k)) {
            Tensor g = temporaries.f32(gradient.elements());
            k.axpby(adam.gradientScale(), gradient, 0, g);
            if (!adam.decoupled()) {
                k.axpby(adam.weightDecay(), weights, 1, g);
            }
            k.axpby(1 - adam.beta1(), g, adam.beta1(), m);
            k.unary(Unary.SQUARE, g, g);
            k.axpby(1 - adam.beta2(), g, adam.beta2(), v);
            Tensor denominator = g;
            k.axpby(1 / vCorrection, v, 0, denominator);
            k.unary(Unary.SQRT, denominator, denominator);
            k.binary(Binary.ADD, denominator, temporaries.scalar(adam.epsilon()), Broadcast.SCALAR, denominator);
            k.binary(Binary.DIVIDE, m, denominator, Broadcast.NONE, denominator);
            double keep = adam.decoupled() ? 1 - adam.learningRate() * adam.weightDecay() : 1;
            k.axpby(-adam.learningRate() / mCorrection, denominator, keep, weights);
        }
    }
}
