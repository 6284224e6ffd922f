package ds.zero.optimizer;

import ds.api.Kernels;
import ds.api.Sgd;
import ds.api.spi.Optimizer;
import ds.zero.config.OptimizerConfig;
import java.util.List;

/** Gradient descent, with momentum on a backend's kernel; without momentum it keeps no state. */
record SgdOptimizer(OptimizerConfig.Sgd config) implements Optimizer {
    @Override
    public List<String> states() {
        return config.momentum() == 0 ? List.of() : List.of("momentum_buffer");
    }

    @Override
    public void update(Kernels kernels, Shard shard, Step step) {
        if (config.momentum() == 0) {
            double keep = 1 - step.learningRate() * step.weightDecay();
            kernels.axpby(-step.learningRate() * step.gradientScale(), shard.gradient(), keep, shard.weights());
            return;
        }
        Sgd sgd = new Sgd(
                step.learningRate(),
                step.momentumOr(config.momentum()),
                config.dampening(),
                config.nesterov(),
                step.weightDecay(),
                step.number() == 1,
                step.gradientScale());
        kernels.sgd(sgd, shard.weights(), shard.gradient(), shard.states().getFirst());
    }
}
