package ds.zero.config;

import ds.zero.config.json.ConfigException;
import ds.zero.config.json.Range;
import java.util.List;
import java.util.OptionalDouble;

/**
 * The learning rate as a pure function of the update, in DeepSpeed's formulas. An update that is skipped because of an overflow
 * does not count, so that nothing has to be stored or restored but the number of updates.
 *
 * <p>DeepSpeed runs its first two updates at the first value of a schedule (a counter that starts at −1); here each value is used
 * once.
 */
public sealed interface LearningRateSchedule
        permits LearningRateSchedule.Constant,
                LearningRateSchedule.Listed,
                LearningRateSchedule.WarmupLr,
                LearningRateSchedule.WarmupDecayLr,
                LearningRateSchedule.WarmupCosineLr,
                LrRangeTest,
                OneCycle {
    /**
     * {@return the learning rate of an update}
     *
     * @param update how many updates were applied before it: 0 for the first
     */
    double at(long update);

    /**
     * {@return the momentum, or first beta, of an update, in place of the optimizer's own; empty if that one stays}
     *
     * @param update how many updates were applied before it
     */
    default OptionalDouble momentum(long update) {
        return OptionalDouble.empty();
    }

    /** How a warm-up rises from 0 to 1. */
    enum Warmup {
        /** {@code ln(k + 1) / ln(n)}: reaches 1 at {@code k = n - 1}. */
        LOG {
            @Override
            double fraction(long k, long n) {
                return Math.log(k + 1.0) / Math.log((double) n);
            }
        },
        /** {@code k / n}. */
        LINEAR {
            @Override
            double fraction(long k, long n) {
                return (double) k / n;
            }
        };

        /** The fraction at update k of n, for k below n. */
        abstract double fraction(long k, long n);

        private double at(long k, long n) {
            return k < n ? fraction(k, n) : 1;
        }
    }

    /**
     * No {@code scheduler} block: always the optimizer's own learning rate.
     *
     * @param learningRate at least 0
     */
    record Constant(double learningRate) implements LearningRateSchedule {
        /** Rejects a negative rate. */
        public Constant {
            requireRate("optimizer.params.lr", learningRate);
        }

        @Override
        public double at(long update) {
            return learningRate;
        }
    }

    /**
     * Rates listed one by one, not to be written in a configuration: for repeating a run whose rates are known.
     *
     * @param rates of the first updates; later ones keep the last rate
     */
    record Listed(List<Double> rates) implements LearningRateSchedule {
        /** Rejects an empty list and negative rates. */
        public Listed {
            rates = List.copyOf(rates);
            if (rates.isEmpty()) {
                throw new IllegalArgumentException("no learning rates are listed");
            }
            rates.forEach(rate -> requireRate("learning rate", rate));
        }

        @Override
        public double at(long update) {
            return rates.get((int) Math.min(update, rates.size() - 1));
        }
    }

    /**
     * {@code WarmupLR}: rises from {@code minimum} to {@code maximum} and stays there.
     *
     * @param minimum rate of the first update
     * @param maximum rate from update {@code steps} on
     * @param steps length of the warm-up; 1 counts as 2, as in DeepSpeed
     * @param warmup the form of the rise
     */
    record WarmupLr(double minimum, double maximum, long steps, Warmup warmup) implements LearningRateSchedule {
        /** Rejects rates and lengths that cannot be. */
        public WarmupLr {
            requireRise(minimum, maximum);
            requireSteps(steps);
        }

        @Override
        public double at(long update) {
            return between(minimum, maximum, warmup.at(update, Math.max(2, steps)));
        }
    }

    /**
     * {@code WarmupDecayLR}: as {@code WarmupLR}, then linearly back to {@code minimum} at {@code totalSteps}.
     *
     * @param minimum rate of the first update, and from {@code totalSteps} on
     * @param maximum rate at update {@code steps}
     * @param steps length of the warm-up; 1 counts as 2, as in DeepSpeed
     * @param warmup the form of the rise
     * @param totalSteps length of the whole schedule, at least {@code steps}
     */
    record WarmupDecayLr(double minimum, double maximum, long steps, Warmup warmup, long totalSteps)
            implements LearningRateSchedule {
        /** Rejects rates and lengths that cannot be. */
        public WarmupDecayLr {
            requireRise(minimum, maximum);
            requireSteps(steps);
            requireTotal(steps, totalSteps);
        }

        @Override
        public double at(long update) {
            long n = Math.max(2, steps);
            double fraction = update < n
                    ? warmup.fraction(update, n)
                    : Math.max(0, (double) (totalSteps - update) / Math.max(1, totalSteps - n));
            return between(minimum, maximum, fraction);
        }
    }

    /**
     * {@code WarmupCosineLR}: rises from {@code minimumRatio} to 1 times the optimizer's rate, then falls along half a cosine to
     * {@code finalRatio} times that rate.
     *
     * @param learningRate the optimizer's rate
     * @param minimumRatio ratio of the first update, in [0, 1]
     * @param steps length of the warm-up; 1 counts as 2, as in DeepSpeed
     * @param warmup the form of the rise
     * @param totalSteps length of the whole schedule, at least {@code steps}
     * @param finalRatio ratio from update {@code totalSteps - 1} on, in [0, 1]
     */
    record WarmupCosineLr(
            double learningRate, double minimumRatio, long steps, Warmup warmup, long totalSteps, double finalRatio)
            implements LearningRateSchedule {
        /** Rejects rates, ratios and lengths that cannot be. */
        public WarmupCosineLr {
            requireRate("optimizer.params.lr", learningRate);
            requireRatio("warmup_min_ratio", minimumRatio);
            requireRatio("cos_min_ratio", finalRatio);
            requireSteps(steps);
            requireTotal(steps, totalSteps);
        }

        @Override
        public double at(long update) {
            long n = Math.max(2, steps);
            if (update < n) {
                return learningRate * between(minimumRatio, 1, warmup.fraction(update, n));
            }
            double progress = Math.min(1, (double) (update - n + 1) / Math.max(1, totalSteps - n));
            return learningRate * (finalRatio + (1 - finalRatio) * (1 + Math.cos(Math.PI * progress)) / 2);
        }
    }

    /** Exact at both ends, unlike {@code low + fraction * (high - low)}. */
    private static double between(double low, double high, double fraction) {
        return fraction >= 1 ? high : low + fraction * (high - low);
    }

    private static void requireRate(String path, double rate) {
        if (!Range.atLeast(0).contains(rate)) {
            throw new ConfigException(path, rate, "must be " + Range.atLeast(0), "");
        }
    }

    private static void requireRatio(String key, double ratio) {
        if (!Range.closed(0, 1).contains(ratio)) {
            throw new ConfigException("scheduler.params." + key, ratio, "must be " + Range.closed(0, 1), "");
        }
    }

    private static void requireRise(double minimum, double maximum) {
        requireRate("scheduler.params.warmup_min_lr", minimum);
        requireRate("scheduler.params.warmup_max_lr", maximum);
        if (minimum > maximum) {
            throw new ConfigException(
                    "scheduler.params.warmup_min_lr",
                    minimum,
                    "exceeds warmup_max_lr = " + maximum + ", so that the warm-up would fall",
                    "lower it, or raise warmup_max_lr");
        }
    }

    private static void requireSteps(long steps) {
        if (steps < 1) {
            throw new ConfigException("scheduler.params.warmup_num_steps", steps, "must be at least 1", "");
        }
    }

    private static void requireTotal(long steps, long totalSteps) {
        if (totalSteps < steps) {
            throw new ConfigException(
                    "scheduler.params.total_num_steps",
                    totalSteps,
                    "is less than warmup_num_steps = " + steps,
                    "shorten the warm-up, or lengthen the schedule");
        }
    }
}
