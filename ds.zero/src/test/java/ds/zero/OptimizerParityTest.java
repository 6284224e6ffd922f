package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import ds.api.comm.Traffic;
import ds.zero.run.StepResult;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The parity law for the optimizers other than Adam: on as many ranks, every stage gives the bits of stage 0. Another number of
 * ranks sums gradients in another order; there SGD and LAMB are within a bound of one rank. No useful bound can be given for
 * signs (Lion), for quotients of tiny numbers (Adagrad), or for Muon, whose iteration enlarges a rounding up to a thousand
 * times: that these do not depend on how the same gradients are dealt is for {@code UnitUpdateTest}.
 */
class OptimizerParityTest {
    private static final double RATE = 0.05;
    private static final String SGD = "SGD | \"momentum\": 0.9, \"nesterov\": true, \"weight_decay\": 0.1";

    /** With this decay a direction is nearly the weights, so that the ratio of norms lies between its bounds. */
    private static final String LAMB = "Lamb | \"eps\": 1, \"weight_decay\": 1, \"max_coeff\": 2";

    private static ZeroRun run(String optimizer, int stage, int ranks, String more) throws Exception {
        String[] parts = optimizer.split("\\|", 2);
        String json = "\"optimizer\": {\"type\": \"%s\", \"params\": {\"lr\": %s, %s}}, %s"
                .formatted(parts[0].strip(), RATE, parts[1], more);
        return ZeroRun.of(new ZeroRun.Setup(stage, ranks, 1, json));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Lion | \"weight_decay\": 0.1",
                "Adagrad | \"weight_decay\": 0.1",
                SGD,
                LAMB,
                "Muon | \"weight_decay\": 0.1"
            })
    void everyStageGivesTheSameBits(String optimizer) throws Exception {
        for (String precision : List.of("", "\"bf16\": {\"enabled\": true},")) {
            for (int ranks : new int[] {1, 2, 3}) {
                ZeroRun whole = run(optimizer, 0, ranks, precision);
                for (int stage = 1; stage <= 3; stage++) {
                    ZeroRun sharded = run(optimizer, stage, ranks, precision);
                    String cell = optimizer + ", stage " + stage + ", " + ranks + " ranks, " + precision;
                    assertEquals(whole.weights(), sharded.weights(), cell);
                    assertEquals(losses(whole), losses(sharded), cell);
                }
            }
        }
    }

    /**
     * Twelve roundings of a sum over 72 rows in each step, as in {@code ParityMatrixTest}, of gradients clipped to norm 1; a
     * velocity keeps ten times a step's, and a LAMB step is at most twice its direction, whose errors count again in its norm.
     */
    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {SGD + "; 10", LAMB + "; 4"})
    void ranksChangeNoMoreThanRoundings(String optimizer, double factor) throws Exception {
        double bound = ZeroRun.STEPS * RATE * factor * 12 * Math.scalb(72.0, -24);
        ZeroRun one = run(optimizer, 0, 1, "");
        for (int ranks = 2; ranks <= 4; ranks++) {
            ZeroRun other = run(optimizer, 3, ranks, "");
            for (var entry : one.weights().entrySet()) {
                List<Float> values = other.weights().get(entry.getKey());
                for (int i = 0; i < values.size(); i++) {
                    assertEquals(entry.getValue().get(i), values.get(i), bound, entry.getKey() + ", element " + i);
                }
            }
        }
    }

    /** A directions' gather and a sum for each unit that has a matrix: here two of three. */
    @Test
    void muonSendsTheUnitsWithMatricesOnceMore() throws Exception {
        Traffic sgd = run(SGD, 1, 2, "").traffic();
        Traffic muon = run("Muon | \"weight_decay\": 0.1", 1, 2, "").traffic();
        long padded = 2 * 32; // 7 · 7 weights and 7 biases, in two shards of 32
        assertEquals(sgd.bytes() + 2 * 2 * padded * Float.BYTES / 2, muon.bytes());
    }

    @Test
    void momentumOfTheScheduleReplacesTheOptimizers() throws Exception {
        String cycle = """
                "scheduler": {"type": "OneCycle", "params": {"cycle_min_lr": 0.05, "cycle_max_lr": 0.05,
                 "cycle_min_mom": 0.5, "cycle_max_mom": 0.5}},
                """;
        for (String optimizer : List.of(
                "SGD | \"momentum\": %s",
                "AdamW | \"betas\": [%s, 0.99]",
                "Lion | \"betas\": [%s, 0.99]",
                "Lamb | \"betas\": [%s, 0.99]",
                "Muon | \"adam_lr\": 0, \"momentum\": %s")) {
            ZeroRun own = run(optimizer.formatted(0.5), 0, 1, "");
            ZeroRun other = run(optimizer.formatted(0.9), 0, 1, "");
            ZeroRun cycled = run(optimizer.formatted(0.9), 0, 1, cycle);
            assertNotEquals(own.weights(), other.weights(), optimizer);
            assertEquals(own.weights(), cycled.weights(), optimizer);
        }
    }

    @Test
    void firstUpdateOfACycleIsAtItsMinimum() throws Exception {
        String cycle = """
                "scheduler": {"type": "OneCycle", "params": {"cycle_min_lr": 0.25, "cycle_max_lr": 0.75,
                 "cycle_first_step_size": 2}},
                """;
        List<Double> rates = run(SGD, 1, 2, cycle).results().stream()
                .map(StepResult::learningRate)
                .toList();
        assertEquals(List.of(0.25, 0.5, 0.75, 0.5, 0.25), rates);
    }

    private static List<Double> losses(ZeroRun run) {
        return run.results().stream().map(StepResult::loss).toList();
    }
}
