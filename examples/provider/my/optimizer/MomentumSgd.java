package my.optimizer;

import ds.api.Kernels;
import ds.api.spi.Optimizer;
import java.util.List;

/** Gradient descent with momentum (Polyak, 1964): {@code v = momentum · v + g}, {@code w = w - lr · (v + decay · w)}. */
record MomentumSgd(double momentum) implements Optimizer {
    @Override
    public List<String> states() {
        return List.of("momentum_buffer");
    }

    @Override
    public void update(Kernels kernels, Shard shard, Step step) {
        var velocity = shard.states().getFirst();
        kernels.axpby(step.gradientScale(), shard.gradient(), momentum, velocity);
        kernels.axpby(-step.learningRate(), velocity, 1 - step.learningRate() * step.weightDecay(), shard.weights());
    }
}
