package ds.data;

import static ds.data.Faults.assertFault;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BatchesTest {
    private static final int T = 5;
    private static final int G = 8;

    @TempDir
    private Path folder;

    private final Arena arena = Arena.ofConfined();

    @AfterEach
    void free() {
        arena.close();
    }

    @ParameterizedTest
    @CsvSource({"1,1", "1,2", "1,8", "2,1", "2,4", "4,1", "4,2"})
    void anyWorldAndAccumulationSeeTheSameGlobalBatch(int worldSize, int microBatch) {
        try (var file = ramp(200)) {
            for (long step : new long[] {0, 1, 7, 1000}) {
                int[] inputs = new int[0];
                for (int rank = 0; rank < worldSize; rank++) {
                    var plan = new BatchPlan(G, T, rank, worldSize);
                    var batches = new TrainingBatches(file, plan, 3);
                    for (int first = 0; first < plan.sequencesPerRank(); first += microBatch) {
                        inputs = concat(inputs, inputs(batches, step, first, microBatch));
                    }
                }
                assertArrayEquals(globalBatch(file, step), inputs, "step " + step);
            }
        }
    }

    private static int[] globalBatch(TokenFile file, long step) {
        var sampler = new Sampler(3, file.tokens(), T);
        return IntStream.range(0, G)
                .flatMap(g -> IntStream.range(0, T).map(t -> (int) sampler.start(step * G + g) + t))
                .toArray();
    }

    private int[] inputs(TrainingBatches batches, long step, int first, int microBatch) {
        MemorySegment inputs = arena.allocate(JAVA_INT, (long) microBatch * T);
        MemorySegment targets = arena.allocate(JAVA_INT, (long) microBatch * T);
        batches.fill(step, first, inputs, targets);
        int[] next =
                Arrays.stream(inputs.toArray(JAVA_INT)).map(token -> token + 1).toArray();
        assertArrayEquals(next, targets.toArray(JAVA_INT), "in a ramp the token after i is i + 1");
        return inputs.toArray(JAVA_INT);
    }

    @ParameterizedTest
    @CsvSource({"200,1,4", "200,2,2", "200,4,2", "41,2,4", "42,2,4", "6,2,1", "2,4,2", "201,1,8"})
    void anEvaluationHasEveryTokenButTheFirstAsATargetOnce(int tokens, int worldSize, int windows) {
        try (var file = ramp(tokens)) {
            int[] seen = new int[tokens];
            long batches = new EvaluationBatches(file, new BatchPlan(G, T, 0, worldSize)).batches();
            for (int rank = 0; rank < worldSize; rank++) {
                var plan = new BatchPlan(G, T, rank, worldSize);
                var evaluation = new EvaluationBatches(file, plan);
                assertEquals(batches, evaluation.batches());
                for (int i = 0; i < batches; i++) {
                    for (int first = 0; first < plan.sequencesPerRank(); first += windows) {
                        count(evaluation, i, first, windows, seen);
                    }
                }
            }
            seen[0]++;
            assertArrayEquals(IntStream.generate(() -> 1).limit(tokens).toArray(), seen);
        }
    }

    private void count(EvaluationBatches evaluation, int batch, int first, int windows, int[] seen) {
        MemorySegment inputs = arena.allocate(JAVA_INT, (long) windows * T);
        MemorySegment targets = arena.allocate(JAVA_INT, (long) windows * T);
        long real = evaluation.fill(batch, first, inputs, targets);
        for (int i = 0; i < windows * T; i++) {
            int target = targets.getAtIndex(JAVA_INT, i);
            if (i < real) {
                seen[target]++;
                assertEquals(target - 1, inputs.getAtIndex(JAVA_INT, i));
                if (i % T > 0) {
                    assertEquals(target - 1, targets.getAtIndex(JAVA_INT, i - 1));
                }
            } else {
                assertEquals(256, target, "end of text");
                assertEquals(256, inputs.getAtIndex(JAVA_INT, i));
            }
        }
    }

    @Test
    void batchesCannotBeUnevenlyDealt() {
        assertFault(() -> new BatchPlan(8, T, 1, 3), "rank 1", "8 sequences", "3 ranks", "train_batch_size");
        assertFault(() -> new BatchPlan(0, T, 0, 1), "0 sequences");
        assertThrows(IllegalArgumentException.class, () -> new BatchPlan(8, T, 2, 2));
        assertThrows(IllegalArgumentException.class, () -> new BatchPlan(8, 0, 0, 2));
    }

    @Test
    void aFileThatIsTooShortIsRefused() {
        try (var file = ramp(T)) {
            assertFault(() -> new TrainingBatches(file, new BatchPlan(G, T, 0, 1), 1), "has 5 tokens", "needs 6");
        }
        try (var file = ramp(1)) {
            assertFault(() -> new EvaluationBatches(file, new BatchPlan(G, T, 0, 1)), "has 1 tokens");
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 4, T * 4 + 4, T * 4 * 5})
    void segmentsThatDoNotFitAreRefused(long bytes) {
        try (var file = ramp(50)) {
            var batches = new TrainingBatches(file, new BatchPlan(G, T, 1, 2), 1);
            MemorySegment segment = arena.allocate(Math.max(bytes, 1)).asSlice(0, bytes);
            String message = assertThrows(IllegalArgumentException.class, () -> batches.fill(0, 0, segment, segment))
                    .getMessage();
            assertTrue(message.startsWith("rank 1: "), message);
            MemorySegment one = arena.allocate(JAVA_INT, T);
            assertThrows(IllegalArgumentException.class, () -> batches.fill(0, 4, one, one));
            assertThrows(IllegalArgumentException.class, () -> batches.fill(0, -1, one, one));
            assertThrows(
                    IllegalArgumentException.class, () -> batches.fill(0, 0, one, arena.allocate(JAVA_INT, 2 * T)));
        }
    }

    /** Token i is i. */
    private TokenFile ramp(int tokens) {
        Path path = folder.resolve("ramp.tokens");
        try (var writer = TokenFileWriter.open(path, Tokenizer.named("byte"))) {
            writer.append(IntStream.range(0, tokens).toArray(), tokens);
            writer.commit();
        }
        return TokenFile.open(path);
    }

    private static int[] concat(int[] a, int[] b) {
        return IntStream.concat(IntStream.of(a), IntStream.of(b)).toArray();
    }
}
