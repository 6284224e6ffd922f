package ds.zero;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.spi.Optimizer;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.ZeroRun.Setup;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.config.Known;
import ds.zero.config.LearningRateSchedule;
import ds.zero.config.OptimizerConfig;
import ds.zero.config.ZeroConfig;
import ds.zero.config.json.Resolved;
import ds.zero.optimizer.Optimizers;
import ds.zero.run.StepResult;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What DeepSpeed 0.19.6 does otherwise than its users expect, and this project does not, by the numbers under which those traps
 * were listed. Where another test has one already it is named here, not repeated.
 *
 * <pre>
 *  1  clipping to 1.0 unless told otherwise    here: it is visible; EngineTest.clippingScalesWhatIsAppliedAndReportsTheNormBefore
 *  2  "reduce_scatter" all-reduces             ParityTest.volumeIsThatOfThePaper: 2Ψ, not 3Ψ, at stages 1 and 2
 *  3  scale changes before it divides          here; EngineTest.dynamicLossScaleFallsUntilGradientsFitAndDividesWhatItMultiplied
 *  4  BF16 overflow not checked at stage 3     here, at every stage and in every precision
 *  5  FP16 at stage 0 divides, not multiplies  here, against F32
 *  6  first two updates at the warm-up's least here
 *  7  schedule and counters drift apart        here
 *  8  strict and loose blocks                  DeepSpeedKeysTest.unknownKeyInABlockThatIsOffIsStillAnError (aio.thread_count)
 *  9  dead keys                                DeepSpeedKeysTest.inertKeysAreAcceptedAndListed
 * 10  defaults other than documented           DeepSpeedKeysTest.supportedKeysHaveTheDefaultOfTheTable
 * 11  pinned memory by default                 here: the key is listed as one without effect
 * 12  "Adam" is AdamW                          here: it is visible; OptimizerConfigTest.adamIsAdamWWithDeepSpeedsDefaults
 * 13  Adagrad's decay, sign(0), LAMB's moments OptimizerValuesTest, LambAndMuonTest.lambFollowsThePaper; sign(0) here
 * 14  Muon orthogonalises before clipping      here
 * 15  checkpoints pickle objects               here
 * 16  only Adam's states are portable          here, with Lion and Adagrad; ResumeTest for Adam
 * 17  local rank for rank in serial loading    there is none: DeepSpeedKeysTest.inertKeysAreAcceptedAndListed
 * 20  norms only of the optimizer              OptimizerValuesTest compares each element
 * </pre>
 *
 * <p>The others (18, 19, 21, 22) concern batch accessors, elasticity, the communication log and printing.
 */
class TrapsTest {
    private static final String BF16 = "\"bf16\": {\"enabled\": true},";
    private static final String WARMUP = """
            "scheduler": {"type": "WarmupLR", "params": {"warmup_min_lr": 0.001, "warmup_max_lr": 0.01, "warmup_num_steps": 8,
             "warmup_type": "linear"}},
            """;

    @TempDir
    private Path folder;

    private static Resolved<ZeroConfig> parse(String members) {
        return ZeroConfig.parse("{" + members + "\"train_batch_size\": 1}", Known.ofWorld(1));
    }

    private static String dtype(String name) {
        return switch (name) {
            case "bf16" -> BF16;
            case "fp16" -> "\"fp16\": {\"enabled\": true, \"initial_scale_power\": 7},";
            default -> "";
        };
    }

    @Test
    void trap1And12DefaultsThatChangeNumbersAreVisible() {
        Resolved<ZeroConfig> resolved = parse("\"optimizer\": {\"type\": \"Adam\"},");
        assertEquals(1.0, resolved.value().gradientClipping());
        assertTrue(resolved.toJson().contains("\"gradient_clipping\" : \"default\""), resolved::toJson);
        assertTrue(resolved.value().optimizer() instanceof OptimizerConfig.Adam adam && adam.decoupled());
        assertTrue(resolved.toJson().contains("\"optimizer.params.adam_w_mode\" : \"default\""), resolved::toJson);
    }

    /** Scales are powers of two, so that only what FP16 rounds to nothing differs. Without clipping, a wrong divisor shows. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void trap3TheScaleThatMultipliesDivides(int stage) throws Exception {
        String more = "\"gradient_clipping\": 0, \"fp16\": {\"enabled\": true, %s},";
        ZeroRun fixed = ZeroRun.of(new Setup(stage, 2, 1, more.formatted("\"loss_scale\": 128")));
        ZeroRun growing = ZeroRun.of(
                new Setup(stage, 2, 1, more.formatted("\"initial_scale_power\": 5, \"loss_scale_window\": 1")));
        List<Double> scales =
                growing.results().stream().map(StepResult::lossScale).toList();
        assertTrue(scales.getLast() > 2 * scales.getFirst(), scales::toString);
        for (int step = 0; step < ZeroRun.STEPS; step++) {
            double norm = fixed.norms().get(step);
            // Ten roundings on the way through three layers; what is below 2^-24 after scaling is lost.
            assertEquals(norm, growing.norms().get(step), 20 * Math.scalb(norm, -11), scales::toString);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0, fp32", "1, fp32", "2, fp32", "3, fp32", "0, bf16", "1, bf16", "2, bf16", "3, bf16", "0, fp16", "1, fp16",
        "2, fp16", "3, fp16"
    })
    void trap4And7OverflowSkipsTheUpdateTheScheduleAndTheCountersTogether(int stage, String type) throws Exception {
        ZeroConfig config = new Setup(stage, 2, 1, dtype(type) + WARMUP).config();
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator)) {
                List<Double> rates = new ArrayList<>();
                for (int step = 0; step < 4; step++) {
                    var batch = TinyModel.batch(backend, step, 36L * communicator.rank(), 36);
                    boolean infinite = step == 1;
                    if (infinite && communicator.rank() == 1) {
                        batch.targets().orElseThrow().host().set(ValueLayout.JAVA_FLOAT, 0, Float.POSITIVE_INFINITY);
                    }
                    var before = ZeroRun.weights(engine);
                    StepResult result = engine.trainBatch(i -> batch);
                    assertEquals(infinite, result.skipped());
                    assertEquals(infinite, before.equals(ZeroRun.weights(engine)));
                    assertEquals(step + 1, result.step());
                    if (!infinite) {
                        rates.add(result.learningRate());
                    }
                }
                assertEquals(rates(config.schedule(), 3), rates);
            }
        });
    }

    private static List<Double> rates(LearningRateSchedule schedule, int updates) {
        return IntStream.range(0, updates).mapToObj(schedule::at).toList();
    }

    /** A scale that only divides, or only multiplies, changes norms by 128. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void trap5Fp16IsF32WithinItsRoundings(int stage) throws Exception {
        ParityCell cell = new ParityCell(stage, 2, 1, ParityCell.Type.FP16, ParityCell.Offload.NONE, false);
        ZeroRun single = ParityCell.reference(ParityCell.Type.FP32).run(folder);
        Deviation deviation = Deviation.between(single, cell.run(folder));
        assertTrue(deviation.firstNorm() <= cell.gradientBound(), deviation::toString);
        assertTrue(deviation.weight() <= cell.weightBound(), deviation::toString);
    }

    @Test
    void trap6TheFirstValueOfAScheduleIsUsedOnce() throws Exception {
        Setup setup = new Setup(2, 2, 1, WARMUP);
        List<Double> rates = ZeroRun.of(setup).results().stream()
                .map(StepResult::learningRate)
                .toList();
        assertEquals(rates(setup.config().schedule(), ZeroRun.STEPS), rates);
        assertEquals(ZeroRun.STEPS, Set.copyOf(rates).size(), rates::toString);
    }

    @Test
    void trap11PinnedMemoryIsNotSilentlyAsked() {
        Resolved<ZeroConfig> resolved = parse(
                "\"zero_optimization\": {\"stage\": 2, \"offload_optimizer\": {\"device\": \"cpu\", \"pin_memory\": true}},");
        assertTrue(
                resolved.toJson()
                        .contains("\"zero_optimization.offload_optimizer.pin_memory\" : \"what a device copies"),
                resolved::toJson);
    }

    @Test
    void trap13LionDoesNotMoveWhatHasNoGradient() {
        Optimizer lion = Optimizers.of(
                parse("\"optimizer\": {\"type\": \"Lion\"},").value().optimizer());
        try (ReferenceBackend backend = new ReferenceBackend()) {
            Tensor[] tensors = new Tensor[3];
            Arrays.setAll(tensors, i -> backend.allocate(DType.F32, Shape.of(4), "test"));
            tensors[0].host().setAtIndex(ValueLayout.JAVA_FLOAT, 0, 1);
            tensors[1].host().setAtIndex(ValueLayout.JAVA_FLOAT, 1, -0.0f);
            tensors[1].host().setAtIndex(ValueLayout.JAVA_FLOAT, 2, 1e-30f);
            lion.update(
                    backend.kernels(backend.computeStream()),
                    new Optimizer.Shard(tensors[0], tensors[1], List.of(tensors[2])),
                    new Optimizer.Step(1, 0.25, 0, 1, OptionalDouble.empty()));
            float[] weights = tensors[0].host().toArray(ValueLayout.JAVA_FLOAT);
            assertArrayEquals(new float[] {1, 0, -0.25f, 0}, Arrays.copyOf(weights, 4));
        }
    }

    /**
     * Without momentum a direction does not depend on the size of its gradient if clipping comes first; clipped afterwards it
     * would be a small part of that. The iteration enlarges a rounding up to a thousand times; a step's norm is at most that of a
     * matrix of seven ones.
     */
    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void trap14MuonOrthogonalisesWhatWasClipped(int stage) throws Exception {
        double rate = 0.05;
        String muon = "\"optimizer\": {\"type\": \"Muon\", \"params\": {\"lr\": %s, \"adam_lr\": 0, \"momentum\": 0}},"
                .formatted(rate);
        ZeroRun free = ZeroRun.of(new Setup(stage, 2, 1, muon + "\"gradient_clipping\": 0,"));
        ZeroRun clipped = ZeroRun.of(new Setup(stage, 2, 1, muon + "\"gradient_clipping\": 0.0625,"));
        double bound = ZeroRun.STEPS * rate * Math.sqrt(7) * 1000 * 0x1p-24;
        assertTrue(Deviation.between(free, clipped).weight() <= bound);
        ZeroRun slower = ZeroRun.of(new Setup(stage, 2, 1, muon.replace("0.05", "0.04") + "\"gradient_clipping\": 0,"));
        assertTrue(Deviation.between(free, slower).weight() > 100 * bound, "the bound is one that a fifth less breaks");
    }

    @ParameterizedTest
    @CsvSource({"Lion, exp_avg", "Adagrad, sum"})
    void trap15And16CheckpointsArePlainFilesWithTheStatesOfAnyOptimizer(String optimizer, String state)
            throws Exception {
        ZeroConfig config = new Setup(3, 2, 1, "\"optimizer\": {\"type\": \"%s\"},".formatted(optimizer)).config();
        var settings = new Checkpointer.Settings(folder, 1, false, Checkpointer.OnFailure.FAIL);
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator);
                    TrainingCheckpoints checkpoints = engine.checkpoints(settings)) {
                engine.trainBatch(i -> TinyModel.batch(backend, 0, 36L * communicator.rank(), 36));
                checkpoints.save(Map.of());
            }
        });
        try (Stream<Path> files = Files.walk(folder)) {
            List<Path> saved = files.filter(Files::isRegularFile)
                    .filter(file -> !file.getParent().equals(folder)) // the lock is no part of a checkpoint
                    .toList();
            assertFalse(saved.isEmpty());
            Set<String> kinds = saved.stream()
                    .map(file -> file.toString().replaceAll(".*\\.", ""))
                    .collect(Collectors.toSet());
            assertEquals(Set.of("json", "safetensors"), kinds);
            Path index = saved.stream()
                    .filter(file -> file.endsWith("index.json"))
                    .findFirst()
                    .orElseThrow();
            assertTrue(Files.readString(index).contains(state), () -> optimizer + " has no " + state);
        }
    }
}
