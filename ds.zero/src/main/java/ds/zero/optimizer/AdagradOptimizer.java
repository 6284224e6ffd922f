package ds.zero.optimizer;

import ds.api.Adagrad;
import ds.api.Kernels;
import ds.api.spi.Optimizer;
import ds.zero.config.OptimizerConfig;
import java.util.List;

/** Adagrad on a backend's kernel; the state carries PyTorch's name. */
record AdagradOptimizer(OptimizerConfig.Adagrad config) implements Optimizer {
    @Override
    public List<String> states() {
        return List.of("sum");
    }

    @Override
    public void update(Kernels kernels, Shard shard, Step step) {
        Adagrad adagrad = new Adagrad(step.learningRate(), config.epsilon(), step.weightDecay(), step.gradientScale());
        kernels.adagrad(
                adagrad, shard.weights(), shard.gradient(), shard.states().getFirst());
    }
}
