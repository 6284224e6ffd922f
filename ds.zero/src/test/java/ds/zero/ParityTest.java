package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.run.StepResult;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What goes with the parity law of {@link ParityMatrixTest}: buckets, masters, progress, and the volume sent. */
class ParityTest {
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
    @CsvSource({"0", "1", "2", "3"})
    void bf16KeepsMasterWeightsInF32(int stage) throws Exception {
        String bf16 = "\"bf16\": {\"enabled\": true},";
        ZeroRun actual = ZeroRun.of(new ZeroRun.Setup(stage, 2, 1, bf16));
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
}
