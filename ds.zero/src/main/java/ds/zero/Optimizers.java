package ds.zero;

import ds.api.spi.Optimizer;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.zero.config.OptimizerConfig;

/** From {@code optimizer} in a configuration to the optimizer itself: built in, or a provider's. */
final class Optimizers {
    private Optimizers() {}

    static Optimizer of(OptimizerConfig config) {
        return switch (config) {
            case OptimizerConfig.Adam adam -> new AdamOptimizer(adam);
            case OptimizerConfig.Provided provided ->
                Providers.optimizers()
                        .get(provided.type())
                        .create(new ProviderOptions("optimizer.params", provided.options()));
        };
    }
}
