package ds.zero;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.comm.Communicator;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.ZeroRun.Setup;
import ds.zero.checkpoint.Checkpoint;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.checkpoint.Checkpointer.OnFailure;
import ds.zero.checkpoint.Checkpointer.What;
import ds.zero.checkpoint.LateDisk;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.run.StepResult;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The resume law: a run that stops and goes on, on whatever ranks and stage, is the run that did not stop. */
class ResumeTest {
    private static final int STEPS = 60;
    private static final int STOP = 23;

    /** Per step that the two runs are apart, as in the parity law: the order of F32 sums, divided by Adam's own size. */
    private static final double WEIGHT_BOUND_PER_STEP = 2e-5;

    private static final String FP16 = """
            "fp16": {"enabled": true, "initial_scale_power": 18, "loss_scale_window": 7, "hysteresis": 1},
            """;

    @TempDir
    private Path folder;

    @TempDir
    private Path disk;

    /** What a run leaves: rank 0's losses and scales by step, and the weights. */
    private record Run(List<Double> losses, List<Double> scales, Map<String, List<Float>> weights) {}

    private Run run(Setup setup, int steps) throws Exception {
        return run(folder, setup, steps);
    }

    private static Run run(Path folder, Setup setup, int steps) throws Exception {
        Map<Integer, Run> runs = new ConcurrentHashMap<>();
        InProcessCommunicators.run(setup.ranks(), communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), setup.config(), backend, communicator);
                    TrainingCheckpoints checkpoints = engine.checkpoints(settings(folder))) {
                checkpoints.latest().ifPresent(path -> checkpoints.restore(path, What.EVERYTHING));
                runs.put(communicator.rank(), train(setup, communicator, engine, checkpoints, steps));
            }
        });
        return runs.get(0);
    }

    private Checkpointer.Settings settings() {
        return settings(folder);
    }

    private static Checkpointer.Settings settings(Path folder) {
        return new Checkpointer.Settings(folder, 2, true, OnFailure.FAIL);
    }

    /** Trains until that step is done, and saves at the end. */
    private static Run train(
            Setup setup, Communicator communicator, ZeroEngine engine, TrainingCheckpoints checkpoints, int steps) {
        ZeroConfig config = setup.config();
        int micro = config.batch().microBatchSize();
        List<Double> losses = new ArrayList<>();
        List<Double> scales = new ArrayList<>();
        while (checkpoints.step() < steps) {
            long step = checkpoints.samples() / ZeroRun.ROWS;
            StepResult result = engine.trainBatch(i -> {
                long first = ((long) communicator.rank() * setup.accumulation() + i) * micro;
                return TinyModel.batch(engine.backend(), step, first, micro);
            });
            assertEquals(step + 1, result.step());
            losses.add(result.loss());
            scales.add(result.lossScale());
        }
        checkpoints.save(Map.of());
        return new Run(losses, scales, ZeroRun.weights(engine));
    }

    @ParameterizedTest
    @CsvSource({
        "0,1,''",
        "0,3,''",
        "1,2,''",
        "2,3,''",
        "3,2,''",
        "3,4,bf16",
        "2,2,bf16",
        "2,2,fp16",
        "3,2,fp16",
        "1,2,files",
        "3,3,files",
        "2,2,split",
        "3,2,split",
        "0,1,low",
        "3,2,low",
        "1,2,low files",
        "0,2,one bit before",
        "0,2,one bit",
        "0,3,one bit bf16",
        "0,2,one bit fp16",
        "3,2,zero++",
        "0,2,zero one before",
        "0,2,zero one",
        "0,3,zero one bf16"
    })
    void onTheSameRanksAndStageItIsTheSameBits(int stage, int ranks, String precision) throws Exception {
        Setup setup = new Setup(
                stage, ranks, 2, precision.contains("files") ? files(stage) + blocks(precision) : blocks(precision));
        Run whole = run(folder.resolve("whole"), setup, STEPS);
        run(setup, STOP);
        Run rest = run(setup, STEPS);
        assertEquals(whole.losses().subList(STOP, STEPS), rest.losses());
        assertEquals(whole.scales().subList(STOP, STEPS), rest.scales());
        assertEquals(whole.weights(), rest.weights());
        if (precision.equals("fp16")) {
            assertTrue(whole.scales().stream().distinct().count() > 2, () -> "the scale moves: " + whole.scales());
        }
    }

    @ParameterizedTest
    @CsvSource({"0,1,3,2", "2,3,0,1", "3,4,2,2", "1,2,3,3"})
    void onOtherRanksAndStagesItIsWithinTheBoundOfParity(int stage, int ranks, int nextStage, int nextRanks)
            throws Exception {
        Setup first = new Setup(stage, ranks, 1, "");
        Setup then = new Setup(nextStage, nextRanks, 1, "");
        Run whole = run(folder.resolve("whole"), first, STEPS);
        run(first, STOP);
        Run rest = run(then, STEPS);
        whole.weights().forEach((name, values) -> {
            for (int i = 0; i < values.size(); i++) {
                double bound = WEIGHT_BOUND_PER_STEP * (STEPS - STOP);
                assertEquals(values.get(i), rest.weights().get(name).get(i), bound, name + "[" + i + "]");
            }
        });
    }

    /** What has not been sent counts by its mean over the ranks, and by the sums' errors: on other ranks both are what they were. */
    @ParameterizedTest
    @CsvSource({"3,2", "2,4", "3,1"})
    void errorsOfOneBitAdamKeepTheirMeanOnOtherRanks(int ranks, int nextRanks) throws Exception {
        run(new Setup(0, ranks, 1, oneBit(9)), STOP);
        Map<String, double[]> before = errors(ranks);
        run(new Setup(0, nextRanks, 1, oneBit(9)), STOP); // restores, trains no step, and saves
        Map<String, double[]> after = errors(nextRanks);
        before.forEach((name, values) -> {
            for (int i = 0; i < values.length; i++) {
                assertEquals(values[i], after.get(name)[i], 1e-6, name + ", element " + i);
            }
        });
        assertTrue(before.values().stream()
                        .flatMapToDouble(Arrays::stream)
                        .map(Math::abs)
                        .max()
                        .orElse(0)
                > 1e-3);
    }

    /** Sums of the errors by parameter: those of sums, and the mean of the ranks'. */
    private Map<String, double[]> errors(int ranks) {
        Checkpoint checkpoint = Checkpoint.open(folder.resolve("step-%08d".formatted(STOP)));
        Map<String, double[]> errors = new LinkedHashMap<>();
        checkpoint.parameters().forEach((name, shape) -> {
            double[] sum = new double[(int) shape.elements()];
            add(checkpoint, "server_error", name, 1, sum);
            for (int rank = 0; rank < ranks; rank++) {
                add(checkpoint, "worker_error." + rank, name, 1.0 / ranks, sum);
            }
            errors.put(name, sum);
        });
        assertEquals(4 + ranks, checkpoint.kinds().size());
        return errors;
    }

    private static void add(Checkpoint checkpoint, String kind, String parameter, double weight, double[] sum) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment values = arena.allocate((long) sum.length * Float.BYTES, 4);
            checkpoint.read(kind, parameter, values);
            for (int i = 0; i < sum.length; i++) {
                sum[i] += weight * values.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            }
        }
    }

    /** Between exchanges ranks have momenta and steps of their own: other ranks go on with their means, and the same masters. */
    @Test
    void stepsOfTheirOwnGoOnOnOtherRanks() throws Exception {
        Run before = run(new Setup(0, 3, 1, zeroOne(12)), STOP);
        assertEquals(
                5 + 3 * 3 - 1,
                Checkpoint.open(folder.resolve("step-%08d".formatted(STOP)))
                        .kinds()
                        .size());
        Run after = run(new Setup(0, 2, 1, zeroOne(12)), STOP); // restores, trains no step, and saves
        assertEquals(before.weights(), after.weights());
        Run rest = run(new Setup(0, 2, 1, zeroOne(12)), STEPS);
        assertTrue(rest.losses().getLast() < 1.1 * rest.losses().getFirst());
    }

    @ParameterizedTest
    @ValueSource(strings = {"adam", "zero one"})
    void othersHaveNoUseForErrorsOfOneBitAdam(String other) throws Exception {
        run(new Setup(0, 2, 1, oneBit(9)), STOP);
        Exception e = assertThrows(Exception.class, () -> run(new Setup(0, 2, 1, blocks(other)), STEPS));
        assertTrue((e + " " + e.getCause()).contains("no use for its states [server_error"), e::toString);
    }

    @Test
    void adamsCheckpointIsOneOfAWarmUp() throws Exception {
        run(new Setup(2, 3, 1, ""), STOP);
        Run frozen = run(new Setup(0, 2, 1, oneBit(9)), STEPS);
        assertEquals(STEPS - STOP, frozen.losses().size());
        assertTrue(frozen.losses().getLast() < frozen.losses().getFirst());
    }

    /** Where ranks would have momenta of their own, each begins with the momenta that AdamW saved. */
    @Test
    void zeroOneAdamGoesOnWithAdamsMomenta() throws Exception {
        run(new Setup(2, 3, 1, ""), STOP);
        Path saved = folder.resolve("step-%08d".formatted(STOP));
        double[] before = momenta(saved, "exp_avg");
        run(new Setup(0, 2, 1, zeroOne(12)), STOP); // restores, trains no step, and saves
        assertArrayEquals(before, momenta(saved, "exp_avg_of_rank.1"));
        assertTrue(Arrays.stream(before).anyMatch(value -> value != 0));
    }

    private static double[] momenta(Path folder, String kind) {
        Checkpoint checkpoint = Checkpoint.open(folder);
        return checkpoint.parameters().entrySet().stream()
                .flatMapToDouble(parameter -> {
                    double[] values = new double[(int) parameter.getValue().elements()];
                    add(checkpoint, kind, parameter.getKey(), 1, values);
                    return Arrays.stream(values);
                })
                .toArray();
    }

    @Test
    void anotherPrecisionGoesOnWithTheSameMasters() throws Exception {
        Run bf16 = run(new Setup(2, 2, 1, blocks("bf16")), STOP);
        Run f32 = run(new Setup(3, 3, 1, ""), STOP); // restores, and trains no step
        assertEquals(bf16.weights(), f32.weights());
        Run fp16 = run(new Setup(1, 2, 1, blocks("fp16")), STOP + 1);
        assertEquals(1, fp16.losses().size());
    }

    @Test
    void statesOfAnotherPrecisionAreConverted() throws Exception {
        Run whole = run(new Setup(2, 2, 1, blocks("bf16")), STOP);
        Run split = run(new Setup(1, 3, 1, blocks("split")), STOP); // restores, and trains no step
        assertEquals(whole.weights(), split.weights());
        Run low = run(new Setup(3, 2, 1, blocks("low")), STOP + 3);
        Run f32 = run(new Setup(0, 1, 1, ""), STOP + 3);
        assertEquals(low.weights(), f32.weights());
    }

    @Test
    void weightsAloneBeginANewTraining() throws Exception {
        Run first = run(new Setup(2, 2, 1, ""), STOP);
        Setup other = new Setup(1, 2, 1, "\"optimizer\": {\"type\": \"AdamW\", \"params\": {\"lr\": 0.02}},");
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), other.config(), backend, communicator);
                    TrainingCheckpoints checkpoints = engine.checkpoints(settings())) {
                checkpoints.restore(checkpoints.latest().orElseThrow(), What.WEIGHTS);
                assertEquals(0, checkpoints.step());
                assertEquals(first.weights(), ZeroRun.weights(engine));
            }
        });
    }

    @Test
    void anotherSeedIsRefused() throws Exception {
        run(new Setup(0, 1, 1, ""), 1);
        ZeroConfig config = ZeroConfig.parse("{\"train_batch_size\": 72, \"ds\": {\"seed\": 43}}", Known.ofWorld(1))
                .value();
        InProcessCommunicators.run(1, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator);
                    TrainingCheckpoints checkpoints = engine.checkpoints(settings())) {
                Path latest = checkpoints.latest().orElseThrow();
                IllegalArgumentException e = assertThrows(
                        IllegalArgumentException.class, () -> checkpoints.restore(latest, What.EVERYTHING));
                assertTrue(e.getMessage().contains("ds.seed = 43"), e.getMessage());
            }
        });
    }

    @Test
    void inTheMiddleOfAStepThereIsNothingToSave() throws Exception {
        Setup setup = new Setup(0, 1, 2, "");
        InProcessCommunicators.run(1, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), setup.config(), backend, communicator);
                    TrainingCheckpoints checkpoints = engine.checkpoints(settings())) {
                engine.forward(TinyModel.batch(backend, 0, 0, 36));
                assertThrows(IllegalStateException.class, () -> checkpoints.save(Map.of()));
                engine.backward();
                engine.step();
                assertThrows(IllegalStateException.class, () -> checkpoints.save(Map.of()));
            }
        });
    }

    @ParameterizedTest
    @CsvSource({"0,1,''", "1,2,bf16", "3,2,''", "2,2,split", "3,2,low"})
    void whatIsSavedIsWhatWasThereWhenSaveWasCalled(int stage, int ranks, String precision) throws Exception {
        Setup setup = new Setup(stage, ranks, 1, blocks(precision));
        Run whole = run(folder.resolve("whole"), setup, STOP);
        Path late = folder.resolve("late");
        InProcessCommunicators.run(ranks, communicator -> {
            CountDownLatch trained = new CountDownLatch(1);
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), setup.config(), backend, communicator);
                    TrainingCheckpoints checkpoints =
                            engine.checkpoints(LateDisk.open(settings(late), backend, communicator, trained))) {
                train(setup, communicator, engine, checkpoints, STOP);
                engine.trainBatch(i ->
                        TinyModel.batch(backend, STOP, 0, setup.config().batch().microBatchSize()));
                trained.countDown();
            }
        });
        Run restored = run(late, setup, STOP); // trains no step
        assertEquals(whole.weights(), restored.weights());
        Run next = run(folder.resolve("whole"), setup, STOP + 1);
        assertEquals(next.losses(), run(late, setup, STOP + 1).losses(), "the optimizer's states too");
    }

    @Test
    void savingInTheBackgroundDoesNotDisturbTraining() throws Exception {
        Setup setup = new Setup(3, 3, 2, "");
        Run quiet = run(folder.resolve("quiet"), setup, STOP);
        Map<Integer, Map<String, List<Float>>> weights = new ConcurrentHashMap<>();
        InProcessCommunicators.run(3, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), setup.config(), backend, communicator);
                    TrainingCheckpoints checkpoints = engine.checkpoints(settings())) {
                for (int step = 1; step <= STOP; step++) {
                    train(setup, communicator, engine, checkpoints, step); // saves after every step
                }
                weights.put(communicator.rank(), ZeroRun.weights(engine));
            }
        });
        assertEquals(quiet.weights(), weights.get(0));
    }

    /** Optimizer states in files between updates, at stage 3 weights too; tiles of 24 elements, so that pieces lie in several. */
    private String files(int stage) {
        String nvme = "{\"device\": \"nvme\", \"nvme_path\": \"%s\", \"buffer_count\": 3}".formatted(disk);
        return """
                "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 0, "stage3_max_reuse_distance": 0,
                 "sub_group_size": 24, "offload_optimizer": %s%s},
                """.formatted(stage, nvme, stage == 3 ? ", \"offload_param\": " + nvme : "");
    }

    private static String oneBit(int freeze) {
        return "\"optimizer\": {\"type\": \"OneBitAdam\", \"params\": {\"lr\": 0.01, \"weight_decay\": 0.1, \"freeze_step\": "
                + freeze + "}},";
    }

    private static String zeroOne(int freeze) {
        return "\"optimizer\": {\"type\": \"ZeroOneAdam\", \"params\": {\"lr\": 0.01, \"weight_decay\": 0.1, \"var_freeze_step\": "
                + freeze + ", \"var_update_scaler\": 4, \"local_step_scaler\": 6, \"local_step_clipper\": 4}},";
    }

    private static String states(String masters) {
        return """
                "bf16": {"enabled": true},
                "ds": {"seed": 42, "states": {"master_weights": "%s", "optimizer_states": "bf16"}},
                """.formatted(masters);
    }

    private static String blocks(String precision) {
        return switch (precision) {
            case "fp16" -> FP16;
            case "one bit" -> oneBit(9);
            case "one bit before" -> oneBit(STOP + 9); // stops while it warms up
            case "one bit bf16" -> oneBit(9) + "\"bf16\": {\"enabled\": true},";
            case "zero one before" -> zeroOne(STOP + 9); // stops between refreshes of the variance
            case "zero one" -> zeroOne(12); // stops where every rank has taken a step of its own
            case "zero one bf16" -> zeroOne(12) + "\"bf16\": {\"enabled\": true},";
            case "one bit fp16" -> oneBit(9) + FP16;
            case "bf16", "files" -> "\"bf16\": {\"enabled\": true},";
            case "split" -> states("split");
            case "low", "low files" -> states("bf16");
            case "zero++" -> """
                    "bf16": {"enabled": true},
                    "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0, "zero_quantized_weights": true,
                     "zero_quantized_gradients": true, "zero_hpz_partition_size": 2},
                    "ds": {"seed": 42, "ranks_per_host": 2}
                    """;
            default -> "";
        };
    }
}
