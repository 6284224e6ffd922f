package ds.zero.optimizer;

import ds.api.Adam;
import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.spi.RoundingOptimizer;
import ds.zero.config.OptimizerConfig;
import java.util.List;

/** Adam and AdamW on a backend's kernel; the states carry PyTorch's names. */
record AdamOptimizer(OptimizerConfig.Adam config) implements RoundingOptimizer {
    @Override
    public List<String> states() {
        return List.of("exp_avg", "exp_avg_sq");
    }

    @Override
    public void update(Kernels kernels, Shard shard, Step step) {
        Tensor first = shard.states().get(0);
        Tensor second = shard.states().get(1);
        kernels.adam(adam(step), shard.weights(), shard.gradient(), first, second);
    }

    @Override
    public void update(Kernels kernels, Shard shard, Step step, Tensor rounded) {
        Tensor first = shard.states().get(0);
        Tensor second = shard.states().get(1);
        kernels.adam(adam(step), shard.weights(), shard.gradient(), first, second, rounded);
    }

    private Adam adam(Step step) {
        return new Adam(
                step.learningRate(),
                step.momentumOr(config.beta1()),
                config.beta2(),
                config.epsilon(),
                step.weightDecay(),
                config.decoupled(),
                config.biasCorrection(),
                step.number(),
                step.gradientScale());
    }
}
