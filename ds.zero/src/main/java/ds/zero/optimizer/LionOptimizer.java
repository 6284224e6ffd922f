package ds.zero.optimizer;

import ds.api.Kernels;
import ds.api.Lion;
import ds.api.spi.Optimizer;
import ds.zero.config.OptimizerConfig;
import java.util.List;

/** Lion (Chen et al., arXiv:2302.06675) on a backend's kernel. */
record LionOptimizer(OptimizerConfig.Lion config) implements Optimizer {
    @Override
    public List<String> states() {
        return List.of("exp_avg");
    }

    @Override
    public void update(Kernels kernels, Shard shard, Step step) {
        Lion lion = new Lion(
                step.learningRate(),
                step.momentumOr(config.beta1()),
                config.beta2(),
                step.weightDecay(),
                step.gradientScale());
        kernels.lion(lion, shard.weights(), shard.gradient(), shard.states().getFirst());
    }
}
