package ds.zero.optimizer;

import ds.api.Adam;
import ds.api.Kernels;
import ds.api.spi.Optimizer;
import ds.zero.config.OptimizerConfig;
import java.util.List;

/** Adam and AdamW on a backend's kernel; the states carry PyTorch's names. */
record AdamOptimizer(OptimizerConfig.Adam config) implements Optimizer {
    @Override
    public List<String> states() {
        return List.of("exp_avg", "exp_avg_sq");
    }

    @Override
    public void update(Kernels kernels, Shard shard, Step step) {
        Adam adam = new Adam(
                step.learningRate(),
                step.momentumOr(config.beta1()),
                config.beta2(),
                config.epsilon(),
                step.weightDecay(),
                config.decoupled(),
                config.biasCorrection(),
                step.number(),
                step.gradientScale());
        kernels.adam(
                adam,
                shard.weights(),
                shard.gradient(),
                shard.states().get(0),
                shard.states().get(1));
    }
}
