package ds.zero.config;

import ds.zero.config.json.ConfigException;
import ds.zero.config.json.Range;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * {@code OneCycle} (Smith, arXiv:1803.09820): the learning rate rises and falls once and then decays; a momentum that is cycled
 * falls and rises at the same time, and then grows.
 *
 * @param rate of learning: its lower value at both ends of the cycle, its upper one in the middle
 * @param momentum whose upper value stands at both ends, its lower one in the middle; empty if the optimizer's own stays
 * @param first the rising part
 * @param second the falling part
 * @param decaySize updates after the cycle in which a decay takes effect once; 0 for no decay at all
 */
public record OneCycle(Cycled rate, Optional<Cycled> momentum, Part first, Part second, long decaySize)
        implements LearningRateSchedule {
    /** Largest number below 1 in F32: at 1 a moment would take nothing from a gradient any more. */
    private static final double MOST = Math.nextDown(1f);

    /**
     * A value that is cycled between two bounds.
     *
     * @param low at least 0
     * @param high at least {@code low}
     * @param decayRate how fast it decays after the cycle: {@code 1 + decayRate · x} is the divisor of a learning rate, and the
     *     factor of a momentum
     */
    public record Cycled(double low, double high, double decayRate) {
        private double at(double height) {
            return height >= 1 ? high : low + height * (high - low);
        }
    }

    /**
     * One half of a cycle.
     *
     * @param size in updates; of the first part at least 1, of the second at least 0
     * @param stairs into how many the slope is cut; 0 for a straight one
     */
    public record Part(long size, long stairs) {
        private double climbed(long updates) {
            double fraction = (double) updates / size;
            return stairs == 0 ? fraction : Math.floor(fraction * stairs) / stairs;
        }
    }

    /** Rejects what cannot be. */
    public OneCycle {
        requireRise("lr", rate, Range.atLeast(0));
        momentum.ifPresent(cycled -> requireRise("mom", cycled, Range.halfOpen(0, 1)));
        require("cycle_first_step_size", first.size, Range.atLeast(1));
        require("cycle_second_step_size", second.size, Range.atLeast(0));
        require("cycle_first_stair_count", first.stairs, Range.atLeast(0));
        require("cycle_second_stair_count", second.stairs, Range.atLeast(0));
        require("decay_step_size", decaySize, Range.atLeast(0));
    }

    @Override
    public double at(long update) {
        return rate.at(height(update)) / (1 + rate.decayRate * decays(update));
    }

    @Override
    public OptionalDouble momentum(long update) {
        if (momentum.isEmpty()) {
            return OptionalDouble.empty();
        }
        Cycled cycled = momentum.get();
        double mirrored = cycled.at(1 - height(update));
        return OptionalDouble.of(Math.min(MOST, mirrored * (1 + cycled.decayRate * decays(update))));
    }

    /** How far up the cycle an update is, from 0 to 1. */
    private double height(long update) {
        if (update < first.size) {
            return first.climbed(update);
        }
        long after = update - first.size;
        return after < second.size ? 1 - second.climbed(after) : 0;
    }

    private double decays(long update) {
        long after = update - first.size - second.size;
        return decaySize == 0 || after <= 0 ? 0 : (double) after / decaySize;
    }

    private static void requireRise(String name, Cycled cycled, Range range) {
        require("cycle_min_" + name, cycled.low, range);
        require("cycle_max_" + name, cycled.high, range);
        require("decay_" + name + "_rate", cycled.decayRate, Range.atLeast(0));
        if (cycled.low > cycled.high) {
            throw new ConfigException(
                    "scheduler.params.cycle_min_" + name,
                    cycled.low,
                    "exceeds cycle_max_" + name + " = " + cycled.high,
                    "exchange the two");
        }
    }

    private static void require(String key, double value, Range range) {
        if (!range.contains(value)) {
            throw new ConfigException("scheduler.params." + key, value, "must be " + range, "");
        }
    }
}
