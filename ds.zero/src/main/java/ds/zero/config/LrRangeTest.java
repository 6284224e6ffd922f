package ds.zero.config;

import ds.zero.config.json.ConfigException;
import ds.zero.config.json.Range;

/**
 * {@code LRRangeTest} (Smith, arXiv:1803.09820): {@code minimum · (1 + stepRate · x)} with {@code x = update / stepSize}, to
 * see up to which rate a model learns.
 *
 * @param minimum rate of the first update, above 0
 * @param stepSize updates in which the rate grows by {@code stepRate} times the minimum, at least 1
 * @param stepRate at least 0
 * @param staircase whether {@code x} is rounded down, so that the rate grows once in {@code stepSize} updates
 */
public record LrRangeTest(double minimum, long stepSize, double stepRate, boolean staircase)
        implements LearningRateSchedule {
    /** Rejects rates and lengths that cannot be. */
    public LrRangeTest {
        require("lr_range_test_min_lr", minimum, Range.above(0));
        require("lr_range_test_step_size", stepSize, Range.atLeast(1));
        require("lr_range_test_step_rate", stepRate, Range.atLeast(0));
    }

    @Override
    public double at(long update) {
        double x = staircase ? Math.floorDiv(update, stepSize) : (double) update / stepSize;
        return minimum * (1 + stepRate * x);
    }

    private static void require(String key, double value, Range range) {
        if (!range.contains(value)) {
            throw new ConfigException("scheduler.params." + key, value, "must be " + range, "");
        }
    }
}
