package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The parity law: however a step is dealt and sharded, losses and weights are those of stage 0 on one rank. */
class ParityTest {
    /**
     * Only the order of F32 sums differs: some ten roundings of 2^-24 relative to the largest gradient, 1e-6. Losses inherit that.
     * Adam divides each gradient by its own size, so that an element a thousandth of the largest is uncertain by 1e-3 of its
     * step of 0.01, over five steps 5e-5.
     */
    private static final double LOSS_BOUND = 1e-5;

    private static final double WEIGHT_BOUND = 1e-4;

    @ParameterizedTest
    @CsvSource({
        "0,1,2", "0,1,4", "0,2,1", "0,3,2", "1,1,1", "1,2,1", "1,2,3", "1,4,2", "2,1,1", "2,2,1", "2,2,3", "2,3,2",
        "2,4,2", "3,1,1", "3,2,1", "3,2,3", "3,3,2", "3,4,2"
    })
    void everyStageOnAnyRanksIsStageZeroOnOne(int stage, int ranks, int accumulation) throws Exception {
        ZeroRun expected = ZeroRun.of(new ZeroRun.Setup(0, 1, 1, ""));
        ZeroRun actual = ZeroRun.of(new ZeroRun.Setup(stage, ranks, accumulation, ""));
        for (int i = 0; i < ZeroRun.STEPS; i++) {
            StepResult e = expected.results().get(i);
            StepResult a = actual.results().get(i);
            assertEquals(e.loss(), a.loss(), LOSS_BOUND, "loss of step " + (i + 1));
            assertEquals(e.gradientNorm(), a.gradientNorm(), LOSS_BOUND * e.gradientNorm(), "norm of step " + (i + 1));
            assertEquals(e.learningRate(), a.learningRate());
        }
        expected.weights()
                .forEach((name, values) ->
                        assertClose(name, values, actual.weights().get(name)));
    }

    @ParameterizedTest
    @CsvSource({"2,1", "3,1", "2,3", "4,2"})
    void stagesZeroAndOneAreTheSameBits(int ranks, int accumulation) throws Exception {
        ZeroRun zero = ZeroRun.of(new ZeroRun.Setup(0, ranks, accumulation, ""));
        ZeroRun one = ZeroRun.of(new ZeroRun.Setup(1, ranks, accumulation, ""));
        assertEquals(zero.weights(), one.weights());
    }

    @ParameterizedTest
    @CsvSource({"2", "3", "4"})
    void stageTwoWithoutAccumulationIsTheSameBitsToo(int ranks) throws Exception {
        ZeroRun zero = ZeroRun.of(new ZeroRun.Setup(0, ranks, 1, ""));
        ZeroRun two = ZeroRun.of(new ZeroRun.Setup(2, ranks, 1, ""));
        assertEquals(zero.weights(), two.weights());
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "2", "3"})
    void overlapAndSmallBucketsChangeNoBit(int stage) throws Exception {
        String overlap = """
                "zero_optimization": {"stage": %d, "overlap_comm": true, "reduce_bucket_size": 8,
                 "allgather_bucket_size": 8, "stage3_param_persistence_threshold": 0, "stage3_prefetch_bucket_size": 200},
                """.formatted(stage);
        ZeroRun plain = ZeroRun.of(new ZeroRun.Setup(stage, 3, 2, ""));
        ZeroRun overlapped = ZeroRun.of(new ZeroRun.Setup(stage, 3, 2, overlap));
        assertEquals(plain.weights(), overlapped.weights());
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "2"})
    void bf16KeepsMasterWeightsInF32(int stage) throws Exception {
        String bf16 = "\"bf16\": {\"enabled\": true},";
        ZeroRun expected = ZeroRun.of(new ZeroRun.Setup(0, 1, 1, bf16));
        ZeroRun actual = ZeroRun.of(new ZeroRun.Setup(stage, 2, 1, bf16));
        for (int i = 0; i < ZeroRun.STEPS; i++) {
            assertEquals(
                    expected.results().get(i).loss(),
                    actual.results().get(i).loss(),
                    1e-3,
                    "a BF16 weight may round the other way");
        }
        boolean finer = actual.weights().values().stream()
                .flatMap(List::stream)
                .anyMatch(value -> (Float.floatToRawIntBits(value) & 0xFFFF) != 0);
        assertTrue(finer, "what is read are masters, with more bits than BF16 has");
    }

    @Test
    void trainingLowersTheLoss() throws Exception {
        List<StepResult> results = ZeroRun.of(new ZeroRun.Setup(2, 2, 1, "")).results();
        assertTrue(results.getLast().loss() < results.getFirst().loss(), results.toString());
    }

    @ParameterizedTest
    @CsvSource({
        "0,2,1,2",
        "0,3,2,2",
        "1,2,1,2",
        "1,4,3,2",
        "2,2,1,2",
        "2,2,3,4",
        "2,4,2,3",
        "3,2,1,3",
        "3,2,4,12",
        "3,4,2,6"
    })
    void volumeIsThatOfThePaper(int stage, int ranks, int accumulation, int timesElements) throws Exception {
        ZeroRun run = ZeroRun.of(new ZeroRun.Setup(stage, ranks, accumulation, ""));
        long multiple = 32L * ranks;
        long padded = 0;
        for (int elements : new int[] {35, 56, 56}) { // the three units
            padded += (elements + multiple - 1) / multiple * multiple;
        }
        long expected = timesElements * padded * (ranks - 1) / ranks;
        long control = run.traffic().elements() - expected;
        assertTrue(
                control >= 0 && control <= 2L * ranks, "sent " + run.traffic().elements() + ", expected " + expected);
        assertEquals(147, run.elements());
    }

    private static void assertClose(String name, List<Float> expected, List<Float> actual) {
        for (int i = 0; i < expected.size(); i++) {
            assertEquals(expected.get(i), actual.get(i), WEIGHT_BOUND, name + "[" + i + "]");
        }
    }
}
