package ds.zero.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.LearningRateSchedule.Constant;
import ds.zero.config.LearningRateSchedule.Warmup;
import ds.zero.config.LearningRateSchedule.WarmupCosineLr;
import ds.zero.config.LearningRateSchedule.WarmupDecayLr;
import ds.zero.config.LearningRateSchedule.WarmupLr;
import ds.zero.config.json.ConfigException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LearningRateScheduleTest {
    private static void assertRises(LearningRateSchedule schedule, long from, long to) {
        for (long k = from; k < to; k++) {
            assertTrue(schedule.at(k) < schedule.at(k + 1), "update " + k);
        }
    }

    private static void assertFalls(LearningRateSchedule schedule, long from, long to) {
        for (long k = from; k < to; k++) {
            assertTrue(schedule.at(k) > schedule.at(k + 1), "update " + k);
        }
    }

    @Test
    void constantIsConstant() {
        assertEquals(0.25, new Constant(0.25).at(0));
        assertEquals(0.25, new Constant(0.25).at(1_000_000));
    }

    @ParameterizedTest
    @CsvSource({"10, LOG", "15, LOG", "19, LOG", "33, LOG", "10, LINEAR", "15, LINEAR", "19, LINEAR", "33, LINEAR"})
    void warmupRisesFromMinimumToExactlyMaximum(long n, Warmup form) {
        var schedule = new WarmupLr(1e-5, 3e-3, n, form);
        assertEquals(1e-5, schedule.at(0));
        assertRises(schedule, 0, n - 1);
        assertEquals(3e-3, schedule.at(n));
        assertEquals(3e-3, schedule.at(n + 1));
        assertEquals(3e-3, schedule.at(1_000_000));
    }

    @ParameterizedTest
    @CsvSource({"10, LOG", "15, LOG", "19, LOG", "33, LOG", "10, LINEAR", "15, LINEAR", "19, LINEAR", "33, LINEAR"})
    void decayFallsFromMaximumToMinimum(long n, Warmup form) {
        long total = 2 * n;
        var schedule = new WarmupDecayLr(0, 3e-3, n, form, total);
        assertEquals(0, schedule.at(0));
        assertRises(schedule, 0, n - 1);
        assertEquals(3e-3, schedule.at(n));
        assertFalls(schedule, n, total);
        assertEquals(0, schedule.at(total));
        assertEquals(0, schedule.at(total + 7));
    }

    @Test
    void valuesAreTheFormulas() {
        assertEquals(Math.log(4) / Math.log(10), new WarmupLr(0, 1, 10, Warmup.LOG).at(3), 1e-15);
        assertEquals(0.3, new WarmupLr(0, 1, 10, Warmup.LINEAR).at(3), 1e-15);
        assertEquals(0.2 + 0.3 * 0.6, new WarmupLr(0.2, 0.8, 10, Warmup.LINEAR).at(3), 1e-15);
        assertEquals(0.75, new WarmupDecayLr(0, 1, 10, Warmup.LINEAR, 50).at(20), 1e-15);
        // n = 10, total = 30: update 19 is half way, cos(pi / 2) = 0
        assertEquals(2 * (0.1 + 0.9 / 2), new WarmupCosineLr(2, 0, 10, Warmup.LINEAR, 30, 0.1).at(19), 1e-15);
    }

    @Test
    void oneStepOfWarmupCountsAsTwo() {
        assertEquals(0.5, new WarmupLr(0, 1, 1, Warmup.LINEAR).at(1));
        assertEquals(1, new WarmupLr(0, 1, 1, Warmup.LINEAR).at(2));
        assertEquals(1, new WarmupLr(0, 1, 1, Warmup.LOG).at(1));
    }

    @ParameterizedTest
    @CsvSource({"100, 10, .1, .2", "200, 20, .1, .2", "500, 30, 0, .2", "600, 300, .1, 0", "600, 550, 0, 0"})
    void cosineRisesToTheOptimizersRateAndFallsToItsFloor(long total, long n, double floor, double start) {
        double rate = 1e-2;
        var schedule = new WarmupCosineLr(rate, start, n, Warmup.LOG, total, floor);
        assertEquals(start * rate, schedule.at(0), 1e-17);
        assertRises(schedule, 0, n - 1);
        assertEquals(rate, schedule.at(n - 1));
        assertFalls(schedule, n, total - 1);
        assertEquals(floor * rate, schedule.at(total - 1), 1e-17);
        assertEquals(floor * rate, schedule.at(total), 1e-17);
        assertEquals(floor * rate, schedule.at(total + 1000), 1e-17);
    }

    @Test
    void cosineWithoutRoomToFallStandsAtItsFloor() {
        assertEquals(0.1, new WarmupCosineLr(1, 0, 10, Warmup.LINEAR, 10, 0.1).at(10), 1e-17);
    }

    @Test
    void whatCannotBeIsRejected() {
        assertThrows(ConfigException.class, () -> new Constant(-1));
        assertThrows(ConfigException.class, () -> new WarmupLr(0, Double.NaN, 10, Warmup.LOG));
        assertThrows(ConfigException.class, () -> new WarmupLr(0, 1, 0, Warmup.LOG));
        assertThrows(ConfigException.class, () -> new WarmupLr(2, 1, 10, Warmup.LOG));
        assertThrows(ConfigException.class, () -> new WarmupDecayLr(0, 1, 10, Warmup.LOG, 9));
        assertThrows(ConfigException.class, () -> new WarmupCosineLr(1, 0, 10, Warmup.LOG, 9, 0));
        assertThrows(ConfigException.class, () -> new WarmupCosineLr(1, 1.1, 10, Warmup.LOG, 90, 0));
        assertThrows(ConfigException.class, () -> new WarmupCosineLr(1, 0, 10, Warmup.LOG, 90, -0.1));
    }
}
