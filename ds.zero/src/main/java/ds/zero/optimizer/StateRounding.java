package ds.zero.optimizer;

import ds.api.CounterRandom;
import ds.api.Tensor;
import ds.zero.config.StatePrecision.Rounding;

/**
 * How states that are kept in BF16 are rounded in a run.
 *
 * @param seed of the run
 */
public record StateRounding(Rounding rounding, long seed) {
    private static final long PURPOSE = CounterRandom.part("stochastic rounding");

    /**
     * {@return a tensor as states that are rounded so}
     *
     * @param bf16 what is kept
     * @param unit its name
     * @param kind which numbers of the unit: the master weights, or one of the optimizer's states
     * @param first element of the unit in the tensor
     */
    public StoredElements of(Tensor bf16, String unit, String kind, long first) {
        return switch (rounding) {
            case NEAREST -> new StoredElements.Nearest(bf16);
            case STOCHASTIC -> {
                long key = CounterRandom.key(seed, PURPOSE, CounterRandom.part(unit), CounterRandom.part(kind));
                yield new StoredElements.Stochastic(bf16, new CounterRandom(key, first));
            }
        };
    }
}
