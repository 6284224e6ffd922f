package ds.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.Batch;
import ds.api.layer.Parameter;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.Mesh;
import ds.zero.TrainingCheckpoints;
import ds.zero.ZeroEngine;
import ds.zero.checkpoint.Checkpoint;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.checkpoint.Piece;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.run.Stack;
import ds.zero.run.StepResult;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Tensor parallelism with every ZeRO stage is the training of one rank; what one mesh has saved, any other goes on with. */
class TensorParallelRunTest {
    /** 50 tokens do not divide over 4 ranks. */
    private static final GptConfig SHAPE = GptConfig.of(50, 16, 3, 32, 4).withDropout(GptConfig.Rates.all(0.1));

    private static final int SEQUENCES = 4;
    private static final int T = 12;
    private static final int STEPS = 4;
    private static final double RATE = 0.05;

    /** Elements of a sum in another order: at most the 4C channels of the MLP, in each of 14 products one after the other. */
    private static final double FP32_ROUNDING = 14 * 4 * 32 * Math.scalb(1.0, -24);

    /** In each of these products summands of several ranks are rounded before they are added, and what comes of it after. */
    private static final double BF16_ROUNDING = 14 * 2 * Math.scalb(1.0, -9);

    /** A mesh, a stage and a number of micro-batches, which train on the same sequences as any other. */
    record Cell(int tensor, int data, int stage, int accumulation, boolean bf16) {
        static final Cell ONE_RANK = new Cell(1, 1, 0, 1, false);

        ZeroConfig config() {
            return ZeroConfig.parse(
                            """
                            {"train_batch_size": %d, "gradient_accumulation_steps": %d, "gradient_clipping": 1.0,
                             "bf16": {"enabled": %b}, "tensor_parallel": {"autotp_size": %d},
                             "optimizer": {"type": "AdamW", "params": {"lr": %s, "eps": 0.1, "weight_decay": 0.1}},
                             "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 0,
                                                   "stage3_max_reuse_distance": 0},
                             "ds": {"seed": 5}}
                            """.formatted(SEQUENCES, accumulation, bf16, tensor, RATE, stage),
                            Known.ofWorld(tensor * data))
                    .value();
        }
    }

    static Stream<Cell> cells() {
        List<Cell> cells = new ArrayList<>();
        for (int tensor : new int[] {1, 2, 4}) {
            for (int stage : new int[] {0, 1, 2, 3}) {
                cells.add(new Cell(tensor, 1, stage, 1, false));
                cells.add(new Cell(tensor, 2, stage, 2, false));
                cells.add(new Cell(tensor, 2, stage, 1, true));
            }
        }
        return cells.stream();
    }

    @ParameterizedTest
    @MethodSource("cells")
    void trainsAsOneRankDoes(Cell cell) throws Exception {
        Run expected = Run.of(new Cell(1, 1, 0, 1, cell.bf16()), Optional.empty(), 0);
        Run run = Run.of(cell, Optional.empty(), 0);
        double rounding = cell.bf16() ? BF16_ROUNDING : FP32_ROUNDING;
        for (int step = 0; step < STEPS; step++) {
            double loss = expected.losses.get(step);
            assertEquals(loss, run.losses.get(step), rounding * loss, "loss of step " + step);
            double norm = expected.norms.get(step);
            assertEquals(norm, run.norms.get(step), 2 * rounding * norm, "norm of step " + step);
        }
        expected.weights.forEach(
                (name, weights) -> assertClose(name, weights, run.weights.get(name), STEPS * RATE * rounding));
    }

    private static void assertClose(String name, float[] expected, float[] actual, double bound) {
        double error = 0;
        for (int i = 0; i < expected.length; i++) {
            error = Math.max(error, Math.abs(expected[i] - actual[i]));
        }
        // eps 0.1 makes a direction at most ten times the gradient, whose elements are at most 1 after clipping
        assertTrue(error <= 10 * bound, name + ": a weight is off by " + error + ", bound " + 10 * bound);
    }

    @ParameterizedTest
    @CsvSource({"2, 2, 3", "4, 1, 0"})
    void sameBitsEveryTime(int tensor, int data, int stage) throws Exception {
        Cell cell = new Cell(tensor, data, stage, 1, false);
        Run first = Run.of(cell, Optional.empty(), 0);
        Run second = Run.of(cell, Optional.empty(), 0);
        assertEquals(first.losses, second.losses);
        assertEquals(first.norms, second.norms);
        first.weights.forEach((name, weights) -> assertClose(name, weights, second.weights.get(name), 0));
    }

    @ParameterizedTest
    @CsvSource({
        "2, 2, 3,  2, 2, 3",
        "2, 2, 3,  4, 1, 1",
        "4, 1, 0,  1, 1, 0",
        "4, 2, 1,  2, 1, 2",
        "1, 2, 2,  4, 1, 3",
        "2, 1, 2,  1, 4, 3"
    })
    void anyMeshGoesOnWithWhatAnotherSaved(
            int tensor, int data, int stage, int otherTensor, int otherData, int otherStage, @TempDir Path folder)
            throws Exception {
        Cell saving = new Cell(tensor, data, stage, 1, false);
        Run whole = Run.of(saving, Optional.of(folder), 0);
        Cell resuming = new Cell(otherTensor, otherData, otherStage, 1, false);
        Run rest = Run.of(resuming, Optional.of(folder), 2);
        rest.restored.forEach((name, weights) -> assertClose(name, whole.saved.get(name), weights, 0));
        for (int step = 2; step < STEPS; step++) {
            double bound = saving.equals(resuming) ? 0 : FP32_ROUNDING * whole.losses.get(step);
            assertEquals(whole.losses.get(step), rest.losses.get(step - 2), bound, "loss of step " + step);
        }
        Checkpoint checkpoint = Checkpoint.open(folder.resolve("step-00000002"));
        assertTrue(checkpoint.verify(bytes -> {}).isEmpty());
        Map<String, List<Float>> streamed = new LinkedHashMap<>();
        checkpoint.forEach(List.of(Piece.MASTER), (kind, parameter, bytes) -> {
            for (float value : bytes.toArray(ValueLayout.JAVA_FLOAT)) {
                streamed.computeIfAbsent(parameter, name -> new ArrayList<>()).add(value);
            }
        });
        whole.saved.forEach((name, weights) -> {
            for (int i = 0; i < weights.length; i++) {
                assertEquals(weights[i], streamed.get(name).get(i), name + " element " + i);
            }
        });
    }

    @Test
    void modelAndConfigurationMustAgree() throws Exception {
        InProcessCommunicators.run(2, communicator -> {
            try (TensorBackend backend = backend()) {
                ZeroConfig config = new Cell(2, 1, 0, 1, false).config();
                var whole = assertThrows(
                        IllegalArgumentException.class,
                        () -> ZeroEngine.initialize(new Gpt(SHAPE).layers(), config, backend, communicator));
                assertTrue(whole.getMessage().contains("tensor_parallel.autotp_size = 2"), whole.getMessage());
                try (Mesh mesh = Mesh.of(new Stack(backend, communicator), config.tensorParallel())) {
                    var unsplit = assertThrows(
                            IllegalArgumentException.class,
                            () -> ZeroEngine.initialize(new Gpt(SHAPE).layers(), config, mesh));
                    assertTrue(unsplit.getMessage().contains("are not split"), unsplit.getMessage());
                }
            }
        });
    }

    private static TensorBackend backend() {
        return Providers.backends().get("cpu").open(0, new ProviderOptions("ds.backend", Map.of("threads", 1L)));
    }

    /** What rank 0 saw, of ranks that are threads; what is read of weights is the same on all. */
    private static final class Run {
        private final List<Double> losses = new ArrayList<>();
        private final List<Double> norms = new ArrayList<>();
        private final Map<String, float[]> weights = new LinkedHashMap<>();
        private final Map<String, float[]> saved = new LinkedHashMap<>();
        private final Map<String, float[]> restored = new LinkedHashMap<>();

        /** A run of all steps, which saves after two if there is a folder; or of those after a checkpoint. */
        static Run of(Cell cell, Optional<Path> folder, int from) throws Exception {
            Map<Integer, Run> runs = new ConcurrentHashMap<>();
            InProcessCommunicators.run(cell.tensor() * cell.data(), communicator -> {
                Run run = new Run();
                run.train(cell, communicator, folder, from);
                runs.put(communicator.rank(), run);
            });
            for (Run run : runs.values()) {
                assertEquals(runs.get(0).losses, run.losses, "losses on every rank");
                runs.get(0).weights.forEach((name, all) -> assertClose(name, all, run.weights.get(name), 0));
            }
            return runs.get(0);
        }

        private void train(Cell cell, Communicator communicator, Optional<Path> folder, int from) {
            ZeroConfig config = cell.config();
            try (TensorBackend backend = backend();
                    Mesh mesh = Mesh.of(new Stack(backend, communicator), config.tensorParallel());
                    ZeroEngine engine = ZeroEngine.initialize(new Gpt(SHAPE, mesh.tensor()).layers(), config, mesh)) {
                Optional<TrainingCheckpoints> checkpoints = folder.map(path ->
                        engine.checkpoints(new Checkpointer.Settings(path, 1, false, Checkpointer.OnFailure.FAIL)));
                if (from > 0) {
                    TrainingCheckpoints restoring = checkpoints.orElseThrow();
                    restoring.restore(restoring.latest().orElseThrow(), Checkpointer.What.EVERYTHING);
                    read(engine, restored);
                }
                for (int step = from; step < STEPS; step++) {
                    int number = step;
                    StepResult result = engine.trainBatch(micro -> batch(engine, backend, number, micro));
                    losses.add(result.loss());
                    norms.add(result.gradientNorm());
                    if (from == 0 && step == 1 && folder.isPresent()) {
                        checkpoints.orElseThrow().save(Map.of());
                        read(engine, saved);
                    }
                }
                read(engine, weights);
                checkpoints.ifPresent(TrainingCheckpoints::close);
            }
        }

        private static Batch batch(ZeroEngine engine, TensorBackend backend, int step, int micro) {
            int count = engine.microBatchSize();
            int perRank = SEQUENCES / engine.dataParallelSize();
            int first = engine.dataParallelRank() * perRank + micro * count;
            Tensor inputs = backend.allocate(DType.I32, Shape.of(count, T), "tokens");
            Tensor targets = backend.allocate(DType.I32, Shape.of(count, T), "tokens");
            for (int i = 0; i < count * T; i++) {
                int place = step * SEQUENCES * T + first * T + i;
                inputs.host().setAtIndex(ValueLayout.JAVA_INT, i, 7 * place % 50);
                targets.host().setAtIndex(ValueLayout.JAVA_INT, i, 7 * (place + 1) % 50);
            }
            return Batch.of(inputs, targets, first);
        }

        private static void read(ZeroEngine engine, Map<String, float[]> target) {
            for (Parameter parameter : engine.parameters()) {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment values = arena.allocate(parameter.whole().elements() * Float.BYTES, 64);
                    engine.read(parameter, values);
                    target.put(parameter.name(), values.toArray(ValueLayout.JAVA_FLOAT));
                }
            }
        }
    }
}
