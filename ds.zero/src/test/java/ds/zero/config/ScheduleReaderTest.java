package ds.zero.config;

import static ds.zero.config.Configs.ONE_RANK;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.zero.config.LearningRateSchedule.Constant;
import ds.zero.config.LearningRateSchedule.Warmup;
import ds.zero.config.LearningRateSchedule.WarmupCosineLr;
import ds.zero.config.LearningRateSchedule.WarmupDecayLr;
import ds.zero.config.LearningRateSchedule.WarmupLr;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScheduleReaderTest {
    private static final Configs STEPS_5000 = new Configs(Known.ofWorld(1).withTotalSteps(5000));

    private static String scheduler(String type, String params) {
        return "\"optimizer\": {\"params\": {\"lr\": 0.25}}, \"scheduler\": {\"type\": \"" + type + "\", \"params\": {"
                + params + "}}";
    }

    @Test
    void withoutABlockTheRateIsTheOptimizers() {
        assertEquals(
                new Constant(0.25),
                ONE_RANK.parse("\"optimizer\": {\"params\": {\"lr\": 0.25}}").schedule());
    }

    @Test
    void defaultsAreDeepSpeeds() {
        assertEquals(
                new WarmupLr(0, 0.25, 1000, Warmup.LOG),
                ONE_RANK.parse(scheduler("WarmupLR", "")).schedule());
        assertEquals(
                new WarmupDecayLr(0, 1e-3, 1000, Warmup.LOG, 3000),
                ONE_RANK.parse(scheduler("WarmupDecayLR", "\"total_num_steps\": 3000"))
                        .schedule());
        assertEquals(
                new WarmupCosineLr(0.25, 0, 1000, Warmup.LOG, 3000, 1e-4),
                ONE_RANK.parse(scheduler("WarmupCosineLR", "\"total_num_steps\": 3e3"))
                        .schedule());
    }

    @Test
    void parametersAreTaken() {
        String rise =
                "\"warmup_min_lr\": 1e-4, \"warmup_max_lr\": 0.5, \"warmup_num_steps\": 7, \"warmup_type\": \"linear\"";
        assertEquals(
                new WarmupLr(1e-4, 0.5, 7, Warmup.LINEAR),
                ONE_RANK.parse(scheduler("WarmupLR", rise)).schedule());
        assertEquals(
                new WarmupDecayLr(1e-4, 0.5, 7, Warmup.LINEAR, 9),
                ONE_RANK.parse(scheduler("WarmupDecayLR", rise + ", \"total_num_steps\": 9"))
                        .schedule());
        String cosine =
                "\"warmup_min_ratio\": 0.1, \"cos_min_ratio\": 0.2, \"warmup_num_steps\": 7, \"total_num_steps\": 9";
        assertEquals(
                new WarmupCosineLr(0.25, 0.1, 7, Warmup.LOG, 9, 0.2),
                ONE_RANK.parse(scheduler("WarmupCosineLR", cosine)).schedule());
    }

    @Test
    void autoIsResolved() {
        String params = "\"warmup_min_lr\": \"auto\", \"warmup_max_lr\": \"auto\", \"warmup_num_steps\": \"auto\", "
                + "\"total_num_steps\": \"auto\"";
        assertEquals(
                new WarmupDecayLr(0, 0.25, 1000, Warmup.LOG, 5000),
                STEPS_5000.parse(scheduler("WarmupDecayLR", params)).schedule());
    }

    @Test
    void totalStepsAreThoseOfTheRunWhereTheyAreKnown() {
        assertEquals(
                new WarmupCosineLr(0.25, 0, 1000, Warmup.LOG, 5000, 1e-4),
                STEPS_5000.parse(scheduler("WarmupCosineLR", "")).schedule());
        ONE_RANK.assertProblem("scheduler.params.total_num_steps", "is missing", scheduler("WarmupCosineLR", ""));
        ONE_RANK.assertProblem(
                "scheduler.params.total_num_steps",
                "the number of updates is not known here",
                scheduler("WarmupDecayLR", "\"total_num_steps\": \"auto\""));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "WarmupLR | warmup_num_steps | 0 | must be a whole number, at least 1",
                "WarmupLR | warmup_num_steps | -3 | must be a whole number, at least 1",
                "WarmupLR | warmup_num_steps | 1.5 | must be a whole number",
                "WarmupLR | warmup_num_steps | true | must be a whole number",
                "WarmupLR | warmup_type | \"cosine\" | must be one of log, linear",
                "WarmupLR | warmup_min_lr | -1 | must be a finite number >= 0",
                "WarmupLR | warmup_min_lr | 0.5 | exceeds warmup_max_lr = 0.25",
                "WarmupLR | warmup_max_lr | \"big\" | must be a finite number",
                "WarmupLR | total_num_steps | 100 | does not apply to what this block selects; remove the key",
                "WarmupLR | cos_min_ratio | 0.1 | does not apply to what this block selects",
                "WarmupLR | warmup_steps | 10 | unknown key",
                "WarmupLR | warmup_numsteps | 10 | did you mean scheduler.params.warmup_num_steps?",
                "WarmupLR | last_batch_iteration | 3 | unknown key",
                "WarmupDecayLR | total_num_steps | 999 | is less than warmup_num_steps = 1000",
                "WarmupDecayLR | total_num_steps | 0 | must be a whole number, at least 1",
                "WarmupCosineLR | total_num_steps | 999 | is less than warmup_num_steps = 1000",
                "WarmupCosineLR | warmup_min_ratio | 1.5 | must be a finite number >= 0 and <= 1",
                "WarmupCosineLR | cos_min_ratio | -0.5 | must be a finite number >= 0 and <= 1",
                "WarmupCosineLR | warmup_max_lr | 0.5 | does not apply",
            })
    void badParametersAreErrors(String type, String key, String value, String text) {
        STEPS_5000.assertProblem("scheduler.params." + key, text, scheduler(type, "\"" + key + "\": " + value));
    }

    @Test
    void otherSchedulesAreErrors() {
        String ofAnotherType = "\"cycle_min_lr\": 1, \"foo\": 2";
        ONE_RANK.assertProblem(
                "scheduler.type", "no such schedule; use LRRangeTest", scheduler("ThreeCycles", ofAnotherType));
        ONE_RANK.assertProblem("scheduler.type", "no such schedule; use", scheduler("warmuplr", ""));
        ONE_RANK.assertProblem("scheduler.type", "is missing", "\"scheduler\": {\"params\": {}}");
        ONE_RANK.assertProblem("scheduler.type", "must be a text", "\"scheduler\": {\"type\": 3}");
        ONE_RANK.assertProblem("scheduler", "must be a JSON object", "\"scheduler\": \"WarmupLR\"");
    }
}
