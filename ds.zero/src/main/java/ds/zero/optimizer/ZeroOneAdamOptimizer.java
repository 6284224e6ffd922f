package ds.zero.optimizer;

import ds.api.Kernels;
import ds.api.spi.Optimizer;
import ds.zero.config.OptimizerConfig;
import java.util.List;

/** The states of 0/1 Adam; what becomes of them is for {@link ZeroOneUpdate}. */
record ZeroOneAdamOptimizer(OptimizerConfig.ZeroOneAdam config) implements Optimizer {
    @Override
    public List<String> states() {
        return new AdamOptimizer(config.adam()).states();
    }

    @Override
    public void update(Kernels kernels, Shard shard, Step step) {
        throw new UnsupportedOperationException("0/1 Adam updates whole units, with other ranks: see ZeroOneUpdate");
    }
}
