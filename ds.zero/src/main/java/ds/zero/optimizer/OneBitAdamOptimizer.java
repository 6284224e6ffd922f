package ds.zero.optimizer;

import ds.api.Kernels;
import ds.api.spi.Optimizer;
import ds.zero.config.OptimizerConfig;
import java.util.List;

/** 1-bit Adam while it warms up: Adam, whose weight decay is decoupled. What follows is {@link OneBitUpdate}. */
record OneBitAdamOptimizer(OptimizerConfig.OneBitAdam config) implements Optimizer {
    @Override
    public List<String> states() {
        return warmUp().states();
    }

    @Override
    public void update(Kernels kernels, Shard shard, Step step) {
        warmUp().update(kernels, shard, step);
    }

    private AdamOptimizer warmUp() {
        return new AdamOptimizer(config.adam());
    }
}
