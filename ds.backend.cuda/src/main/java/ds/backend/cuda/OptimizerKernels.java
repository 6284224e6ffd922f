package ds.backend.cuda;

import static ds.backend.cuda.CudaCoreKernels.THREADS;
import static ds.backend.cuda.CudaCoreKernels.quads;

import ds.api.Adagrad;
import ds.api.Adam;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Lamb;
import ds.api.Lion;
import ds.api.Sgd;
import ds.api.Tensor;
import ds.backend.cuda.launch.Codes;
import ds.backend.cuda.launch.Launcher;
import java.util.List;
import java.util.Optional;

/** Launches steps of elementwise optimizers, and the roundings of what they keep: methods as those of {@link ds.api.Kernels}. */
final class OptimizerKernels {
    private final Launcher launcher;

    OptimizerKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    void adam(Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        Checks.f32("adam", gradient);
        step(adam, List.of(weights, firstMoment, secondMoment), gradient, Optional.empty());
    }

    void adam(Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment, Tensor rounded) {
        step(adam, List.of(weights, firstMoment, secondMoment), gradient, Optional.of(rounded));
    }

    private void step(Adam adam, List<Tensor> states, Tensor gradient, Optional<Tensor> rounded) {
        Tensor weights = states.get(0);
        Checks.sameElements("adam", weights, states.get(1), states.get(2), gradient, rounded.orElse(weights));
        Checks.f32("adam", weights, states.get(1), states.get(2));
        double first = adam.biasCorrection() ? 1 - Math.pow(adam.beta1(), adam.step()) : 1;
        double second = adam.biasCorrection() ? 1 - Math.pow(adam.beta2(), adam.step()) : 1;
        launcher.of("optimizers", "adam")
                .address(weights)
                .typed(gradient)
                .address(states.get(1))
                .address(states.get(2))
                .number(rounded.map(Tensor::address).orElse(0L))
                .number(Codes.of(rounded.orElse(weights).dtype()))
                .number(weights.elements())
                .number((float) adam.gradientScale())
                .number((float) (adam.decoupled() ? 0 : adam.weightDecay()))
                .number((float) adam.beta1())
                .number((float) (1 - adam.beta1()))
                .number((float) adam.beta2())
                .number((float) (1 - adam.beta2()))
                .number((float) (1 / second))
                .number((float) adam.epsilon())
                .number((float) (adam.learningRate() / first))
                .number((float) (adam.decoupled() ? 1 - adam.learningRate() * adam.weightDecay() : 1))
                .run(quads(weights.elements()), THREADS);
    }

    void lion(Lion lion, Tensor weights, Tensor gradient, Tensor momentum) {
        f32("lion", "lion", weights, gradient, momentum)
                .number((float) ((1 - lion.beta1()) * lion.gradientScale()))
                .number((float) lion.beta1())
                .number((float) ((1 - lion.beta2()) * lion.gradientScale()))
                .number((float) lion.beta2())
                .number((float) lion.learningRate())
                .number((float) (1 - lion.learningRate() * lion.weightDecay()))
                .run(quads(weights.elements()), THREADS);
    }

    void adagrad(Adagrad adagrad, Tensor weights, Tensor gradient, Tensor squares) {
        f32("adagrad", "adagrad", weights, gradient, squares)
                .number((float) adagrad.gradientScale())
                .number((float) adagrad.weightDecay())
                .number((float) adagrad.epsilon())
                .number((float) adagrad.learningRate())
                .run(quads(weights.elements()), THREADS);
    }

    void sgd(Sgd sgd, Tensor weights, Tensor gradient, Tensor velocity) {
        f32("sgd", "sgd", weights, gradient, velocity)
                .number((float) sgd.gradientScale())
                .number((float) sgd.weightDecay())
                .number((float) sgd.momentum())
                .number((float) (1 - sgd.dampening()))
                .number(sgd.nesterov() ? 1 : 0)
                .number(sgd.first() ? 1 : 0)
                .number((float) sgd.learningRate())
                .run(quads(weights.elements()), THREADS);
    }

    void lambMoments(Lamb lamb, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        f32("lambMoments", "lamb_moments", gradient, firstMoment, secondMoment)
                .number((float) lamb.gradientScale())
                .number((float) lamb.beta1())
                .number((float) (1 - lamb.beta1()))
                .number((float) lamb.beta2())
                .number((float) (1 - lamb.beta2()))
                .run(quads(gradient.elements()), THREADS);
    }

    void lambDirection(Lamb lamb, Tensor weights, Tensor firstMoment, Tensor secondMoment, Tensor direction) {
        f32("lambDirection", "lamb_direction", weights, firstMoment, secondMoment, direction)
                .number((float) lamb.firstCorrection())
                .number((float) lamb.secondCorrection())
                .number((float) lamb.epsilon())
                .number(lamb.epsilonInRoot() ? 1 : 0)
                .number((float) lamb.weightDecay())
                .run(quads(weights.elements()), THREADS);
    }

    /** Begins the launch of a kernel that takes F32 tensors of as many elements, then how many these are. */
    private Launcher f32(String call, String kernel, Tensor first, Tensor... others) {
        Checks.sameElements(call, first, others);
        Checks.f32(call, first);
        Checks.f32(call, others);
        launcher.of("optimizers", kernel).address(first);
        for (Tensor other : others) {
            launcher.address(other);
        }
        return launcher.number(first.elements());
    }

    void roundStochastically(Tensor x, CounterRandom random, Tensor y) {
        requireHalves("roundStochastically", x, y, y);
        launcher.of("optimizers", "round_stochastically")
                .address(x)
                .number(random.key())
                .number(random.first())
                .address(y)
                .number(x.elements())
                .run(Launcher.blocks(x.elements(), THREADS), THREADS);
    }

    void split(Tensor x, Tensor nearest, Tensor rest) {
        requireHalves("split", x, nearest, rest);
        launcher.of("optimizers", "split")
                .address(x)
                .address(nearest)
                .address(rest)
                .number(x.elements())
                .run(Launcher.blocks(x.elements(), THREADS), THREADS);
    }

    void join(Tensor nearest, Tensor rest, Tensor x) {
        requireHalves("join", x, nearest, rest);
        launcher.of("optimizers", "join")
                .address(nearest)
                .address(rest)
                .address(x)
                .number(x.elements())
                .run(Launcher.blocks(x.elements(), THREADS), THREADS);
    }

    private static void requireHalves(String call, Tensor x, Tensor nearest, Tensor rest) {
        Checks.sameElements(call, x, nearest);
        Checks.equal(call, "bytes", 2 * x.elements(), rest.byteSize());
        if (x.dtype() != DType.F32 || nearest.dtype() != DType.BF16) {
            throw new IllegalArgumentException(call + ": between F32 and BF16, not " + x + " and " + nearest);
        }
    }
}
