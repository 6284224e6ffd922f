package ds.zero.optimizer;

import ds.api.spi.Optimizer;
import ds.api.spi.OptimizerProvider;
import ds.api.spi.Provider;
import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.zero.config.OptimizerConfig;

/** From {@code optimizer} in a configuration to the optimizer itself: built in, or a provider's. */
public final class Optimizers {
    private Optimizers() {}

    /**
     * {@return the optimizer that a configuration names}
     *
     * @throws ProviderException if it is neither built in nor provided
     */
    public static Optimizer of(OptimizerConfig config) {
        return switch (config) {
            case OptimizerConfig.Adam adam -> new AdamOptimizer(adam);
            case OptimizerConfig.Lion lion -> new LionOptimizer(lion);
            case OptimizerConfig.Adagrad adagrad -> new AdagradOptimizer(adagrad);
            case OptimizerConfig.Sgd sgd -> new SgdOptimizer(sgd);
            case OptimizerConfig.Lamb lamb -> new LambOptimizer(lamb);
            case OptimizerConfig.Muon muon -> new MuonOptimizer(muon);
            case OptimizerConfig.OneBitAdam oneBit -> new OneBitAdamOptimizer(oneBit);
            case OptimizerConfig.ZeroOneAdam zeroOne -> new ZeroOneAdamOptimizer(zeroOne);
            case OptimizerConfig.Provided provided ->
                provider(provided.type()).create(new ProviderOptions("optimizer.params", provided.options()));
        };
    }

    private static OptimizerProvider provider(String type) {
        Providers<OptimizerProvider> providers = Providers.optimizers();
        if (!providers.contains(type)) {
            throw new ProviderException("optimizer.type = " + type + ": no such provider; built in are "
                    + OptimizerConfig.BUILT_IN + ", provided are "
                    + providers.all().stream().map(Provider::name).toList()
                    + "; use one of these, or add the module that provides it to the module path");
        }
        return providers.get(type);
    }
}
