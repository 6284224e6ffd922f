package ds.zero.config;

import static ds.zero.config.Configs.ONE_RANK;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.json.ConfigException;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code LRRangeTest} and {@code OneCycle}: their values, and how they are read. */
class CycleTest {
    private static final OneCycle.Cycled RATE = new OneCycle.Cycled(1e-5, 1e-2, 1e-3);
    private static final OneCycle.Cycled MOMENTUM = new OneCycle.Cycled(0.8, 0.9, 0);

    private static OneCycle cycle(OneCycle.Part first, OneCycle.Part second, long decaySize) {
        return new OneCycle(RATE, Optional.of(MOMENTUM), first, second, decaySize);
    }

    private static String scheduler(String optimizer, String type, String params) {
        return "\"optimizer\": {\"type\": \"" + optimizer + "\"}, \"scheduler\": {\"type\": \"" + type
                + "\", \"params\": {" + params + "}}";
    }

    private static final String RATES = "\"cycle_min_lr\": 0.1, \"cycle_max_lr\": 0.5, ";

    @ParameterizedTest
    @CsvSource({
        "1e-4, 1e-5, 1, true",
        "1e-5, 1e-5, 1, false",
        "1e-4, 1e-3, 10, true",
        "1e-3, 1e-3, 10, false",
        "1e-2, 1e-2, 19, true",
        "1e-2, 1e-2, 19, false"
    })
    void rangeTestClimbsFromItsMinimum(double minimum, double rate, long size, boolean staircase) {
        var schedule = new LrRangeTest(minimum, size, rate, staircase);
        assertEquals(minimum, schedule.at(0));
        assertEquals(minimum * (1 + 3 * rate), schedule.at(3 * size), 1e-16);
        for (long k = 0; k < 4 * size; k++) {
            boolean flat = staircase && (k + 1) % size != 0;
            assertEquals(flat, schedule.at(k) == schedule.at(k + 1), "update " + k);
            assertTrue(schedule.at(k) <= schedule.at(k + 1), "update " + k);
        }
    }

    @Test
    void rateRisesFallsAndDecaysWhileMomentumMirrorsIt() {
        OneCycle schedule = cycle(new OneCycle.Part(10, 0), new OneCycle.Part(10, 0), 10);
        assertEquals(1e-5, schedule.at(0));
        assertEquals(1e-2, schedule.at(10));
        assertEquals(1e-5, schedule.at(20));
        assertEquals(0.9, schedule.momentum(0).orElseThrow());
        assertEquals(0.8, schedule.momentum(10).orElseThrow());
        assertEquals(0.9, schedule.momentum(20).orElseThrow());
        for (long k = 0; k < 10; k++) {
            assertTrue(schedule.at(k) < schedule.at(k + 1));
            assertTrue(schedule.at(10 + k) > schedule.at(11 + k));
            assertTrue(schedule.at(20 + k) > schedule.at(21 + k));
            double height = (schedule.at(k) - 1e-5) / (1e-2 - 1e-5);
            assertEquals(0.9 - 0.1 * height, schedule.momentum(k).orElseThrow(), 1e-15);
            assertEquals(schedule.at(k), schedule.at(20 - k), 1e-17);
        }
        assertEquals(1e-5 / (1 + 1e-3 * 2), schedule.at(40), 1e-20);
    }

    @Test
    void partsMayDifferAndTheSecondMayBeMissing() {
        OneCycle asymmetric = cycle(new OneCycle.Part(4, 0), new OneCycle.Part(8, 0), 0);
        assertEquals(1e-2, asymmetric.at(4));
        assertEquals((1e-2 + 1e-5) / 2, asymmetric.at(8), 1e-17);
        assertEquals(1e-5, asymmetric.at(12));
        assertEquals(1e-5, asymmetric.at(1000), "no decay without a decay step size");
        OneCycle rising = cycle(new OneCycle.Part(4, 0), new OneCycle.Part(0, 0), 0);
        assertEquals(1e-5 + 0.75 * (1e-2 - 1e-5), rising.at(3), 1e-17);
        assertEquals(1e-5, rising.at(4));
    }

    @Test
    void stairsAreFlat() {
        OneCycle schedule = cycle(new OneCycle.Part(10, 2), new OneCycle.Part(20, 5), 0);
        double step = (1e-2 - 1e-5) / 10;
        double[] expected = {0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 10, 10, 10, 10, 8, 8, 8, 8, 6, 6, 6, 6};
        for (int k = 0; k < expected.length; k++) {
            assertEquals(1e-5 + expected[k] * step, schedule.at(k), 1e-16, "update " + k);
        }
    }

    @Test
    void momentumGrowsAfterTheCycleButStaysBelowOne() {
        var growing = new OneCycle.Cycled(0.8, 0.9, 0.1);
        var schedule = new OneCycle(RATE, Optional.of(growing), new OneCycle.Part(2, 0), new OneCycle.Part(2, 0), 1);
        assertEquals(0.9 * 1.1, schedule.momentum(5).orElseThrow(), 1e-15);
        assertTrue((float) schedule.momentum(1_000_000).orElseThrow() < 1f);
    }

    @Test
    void defaultsAreDeepSpeeds() {
        assertEquals(
                new LrRangeTest(1e-3, 2000, 1, false),
                ONE_RANK.parse(scheduler("AdamW", "LRRangeTest", "")).schedule());
        assertEquals(
                new OneCycle(
                        new OneCycle.Cycled(0.1, 0.5, 0),
                        Optional.of(MOMENTUM),
                        new OneCycle.Part(2000, 0),
                        new OneCycle.Part(2000, 0),
                        0),
                ONE_RANK.parse(scheduler("AdamW", "OneCycle", RATES + "\"cycle_second_step_size\": null"))
                        .schedule());
    }

    @Test
    void secondPartIsLikeTheFirstUnlessItIsGiven() {
        var schedule = (OneCycle) ONE_RANK.parse(scheduler(
                        "AdamW", "OneCycle", RATES + "\"cycle_first_step_size\": 8, \"cycle_first_stair_count\": 4"))
                .schedule();
        assertEquals(new OneCycle.Part(8, 4), schedule.second());
        var other = (OneCycle) ONE_RANK.parse(scheduler(
                        "AdamW", "OneCycle", RATES + "\"cycle_second_step_size\": 0, \"cycle_second_stair_count\": 3"))
                .schedule();
        assertEquals(new OneCycle.Part(0, 3), other.second());
    }

    @Test
    void momentumIsCycledWhereThereIsOne() {
        var none = (OneCycle)
                ONE_RANK.parse(scheduler("Adagrad", "OneCycle", RATES)).schedule();
        assertFalse(none.momentum().isPresent());
        assertTrue(none.momentum(3).isEmpty());
        ONE_RANK.assertProblem(
                "scheduler.params.cycle_momentum",
                "optimizer SGD has no momentum",
                scheduler("SGD", "OneCycle", RATES + "\"cycle_momentum\": true"));
        ONE_RANK.assertProblem(
                "scheduler.params.cycle_min_mom",
                "does not apply",
                scheduler("AdamW", "OneCycle", RATES + "\"cycle_momentum\": false, \"cycle_min_mom\": 0.5"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "OneCycle | cycle_first_step_size | 0 | must be a whole number, at least 1",
                "OneCycle | cycle_second_step_size | -1 | must be a whole number, at least 0",
                "OneCycle | cycle_min_mom | 1 | must be a finite number >= 0 and < 1",
                "OneCycle | cycle_min_mom | 0.95 | exceeds cycle_max_mom = 0.9",
                "OneCycle | cycle_min_mom | [0.8, 0.9] | no list by parameter group; give one number",
                "OneCycle | decay_lr_rate | -1 | must be a finite number >= 0",
                "OneCycle | lr_range_test_min_lr | 0.1 | does not apply",
                "LRRangeTest | lr_range_test_step_size | 0 | must be a whole number, at least 1",
                "LRRangeTest | lr_range_test_min_lr | 0 | must be a finite number > 0",
                "LRRangeTest | lr_range_test_min_lr | [1, 2] | no list by parameter group",
                "LRRangeTest | lr_range_test_staircase | 1 | must be true or false",
                "LRRangeTest | lr_range_test_step_rate | -1 | must be a finite number >= 0",
            })
    void badParametersAreErrors(String type, String key, String value, String text) {
        String rates = type.equals("OneCycle") ? RATES : "";
        ONE_RANK.assertProblem(
                "scheduler.params." + key, text, scheduler("AdamW", type, rates + "\"" + key + "\": " + value));
    }

    @Test
    void ratesOfACycleMustBeGivenAsNumbers() {
        ONE_RANK.assertProblem(
                "scheduler.params.cycle_max_lr", "is missing", scheduler("AdamW", "OneCycle", "\"cycle_min_lr\": 0.1"));
        ONE_RANK.assertProblem(
                "scheduler.params.cycle_min_lr",
                "no list by parameter group",
                scheduler("AdamW", "OneCycle", "\"cycle_min_lr\": [0.1, 0.2], \"cycle_max_lr\": 1"));
        ONE_RANK.assertProblem(
                "scheduler.params.cycle_min_lr",
                "exceeds cycle_max_lr = 0.1",
                scheduler("AdamW", "OneCycle", "\"cycle_min_lr\": 0.2, \"cycle_max_lr\": 0.1"));
    }

    @Test
    void recordsCheckThemselves() {
        assertThrows(ConfigException.class, () -> new LrRangeTest(1e-3, 0, 1, false));
        assertThrows(ConfigException.class, () -> cycle(new OneCycle.Part(0, 0), new OneCycle.Part(1, 0), 0));
        assertThrows(ConfigException.class, () -> cycle(new OneCycle.Part(1, -1), new OneCycle.Part(1, 0), 0));
    }
}
