package my.optimizer;

import ds.api.spi.Availability;
import ds.api.spi.Optimizer;
import ds.api.spi.OptimizerProvider;
import ds.api.spi.ProviderOptions;

/** The provider that {@code "optimizer": {"type": "MomentumSgd"}} selects; its option is {@code momentum}, by default 0.9. */
public final class MomentumSgdProvider implements OptimizerProvider {
    /** For the service loader. */
    public MomentumSgdProvider() {}

    @Override
    public String name() {
        return "MomentumSgd";
    }

    @Override
    public Availability availability() {
        return new Availability.Available("runs on any backend");
    }

    @Override
    public Optimizer create(ProviderOptions options) {
        double momentum = options.number("momentum", 0.9);
        options.rejectUnknown();
        return new MomentumSgd(momentum);
    }
}
