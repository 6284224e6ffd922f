package ds.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.MemoryUse;
import ds.api.layer.Batch;
import ds.zero.ZeroEngine;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.config.Offload;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroOptimization;
import ds.zero.plan.MemoryPlan;
import ds.zero.plan.MemoryPlan.Checkpoints;
import ds.zero.run.Stack;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The memory law: the plan of a run is what the backend counts in the run, label by label, to the byte. */
class MemoryPlanTest {
    /** What the CPU backend allocates for itself. */
    private static final String OWN = "matmul";

    private static final MemoryPlan.Loop LOOP = new MemoryPlan.Loop(GptRun::allocate, Checkpoints.NONE);

    private static final String BF16 = "\"bf16\": {\"enabled\": true}";

    private static final String LOW = "\"bf16\": {\"enabled\": true, \"bf16_master_weights_and_grads\": true,"
            + " \"bf16_optimizer_states\": true}";

    private static final String SPLIT =
            BF16 + ", \"optimizer\": {\"type\": \"Lamb\"}, \"ds\": {\"states\": {\"master_weights\": \"split\"}}";

    /** Frozen after the first step: the second and third exchange signs. */
    private static final String ONE_BIT = "\"optimizer\": {\"type\": \"OneBitAdam\", \"params\": {\"freeze_step\": 1}}";

    /** Of everything that decides about memory, on two ranks; on one rank what differs there. */
    static Stream<ZeroConfig> configurations() {
        List<String> settings = List.of(
                "",
                BF16,
                LOW,
                SPLIT,
                BF16 + ", \"optimizer\": {\"type\": \"Lamb\"}",
                "\"optimizer\": {\"type\": \"Muon\"}",
                BF16 + ", \"ds\": {\"checkpoint_every\": 1}",
                "\"activation_checkpointing\": {\"number_checkpoints\": 6, \"cpu_checkpointing\": true}");
        Stream<ZeroConfig> two = IntStream.rangeClosed(0, 3)
                .boxed()
                .flatMap(stage -> settings.stream().map(more -> GptRun.config(2, stage, more)));
        Stream<ZeroConfig> one =
                Stream.of(0, 1, 3).flatMap(stage -> Stream.of("", BF16).map(more -> GptRun.config(1, stage, more)));
        Stream<ZeroConfig> split = Stream.of(0, 1, 2, 3)
                .flatMap(stage -> Stream.of(2, 4)
                        .map(size -> GptRun.config(4, stage, "\"tensor_parallel\": {\"autotp_size\": " + size + "}")));
        Stream<ZeroConfig> signs = Stream.of(
                        ONE_BIT,
                        BF16 + ", " + ONE_BIT,
                        ONE_BIT.replace("OneBit", "ZeroOne").replace("freeze", "var_freeze"))
                .flatMap(more -> Stream.of(1, 3).map(ranks -> GptRun.config(ranks, 0, more)));
        String codes = "\"zero_quantized_gradients\": true";
        String all = codes + ", \"zero_quantized_weights\": true, \"zero_hpz_partition_size\": 2";
        String hosts = BF16 + ", \"ds\": {\"ranks_per_host\": 2}";
        Stream<ZeroConfig> plusPlus = Stream.of(
                GptRun.config(2, 1, codes, ""),
                GptRun.config(2, 2, codes, BF16),
                GptRun.config(2, 3, all, hosts),
                GptRun.config(4, 3, all, hosts));
        return Stream.of(split, two, one, signs, plusPlus).flatMap(configs -> configs);
    }

    @ParameterizedTest
    @MethodSource("configurations")
    void planIsWhatARunTakes(ZeroConfig config) throws Exception {
        MemoryPlan plan = MemoryPlan.of(GptRun::model, config, LOOP);
        GptRun run = GptRun.of(config);

        assertEquals(peaks(run.memory(), OWN), peaks(plan.memory(), MemoryPlan.EXPORT));
        long own = run.training().labels().get(OWN).peakBytes();
        long measured = run.training().peakBytes();
        assertTrue(
                plan.trainingPeakBytes() <= measured && measured <= plan.trainingPeakBytes() + own,
                "planned " + plan.trainingPeakBytes() + ", measured " + measured + ", of which the backend's own "
                        + own);
        assertEquals(run.sent().elements(), plan.sentPerStep().elements());
        assertEquals(run.liveBytes().get(1), run.liveBytes().get(2), "nothing is allocated after the second step");
    }

    /** Nothing of what is reserved is left over, and no step takes more. */
    @ParameterizedTest
    @CsvSource({"0, ''", "3, ''", "1, '\"bf16\": {\"enabled\": true}'"})
    void whatIsReservedIsWhatStepsTake(int stage, String more) {
        ZeroConfig config = GptRun.config(1, stage, more);
        MemoryPlan plan = MemoryPlan.of(GptRun.model(), config, LOOP);
        try (Stack stack = GptRun.alone();
                ZeroEngine engine =
                        ZeroEngine.initialize(GptRun.model(), config, stack.backend(), stack.communicator())) {
            Batch batch = GptRun.allocate(stack.backend());
            Map<String, Long> before = live(stack);
            engine.reserve(plan.passMemory());
            Map<String, Long> reserved = live(stack);
            assertEquals(plan.passMemory().activationBytes(), grown("activations", before, reserved));
            assertEquals(plan.passMemory().scratchBytes(), grown("scratch", before, reserved));
            for (int step = 0; step < 2; step++) {
                engine.trainBatch(micro -> batch);
                assertEquals(plan.passMemory(), engine.passMemory());
                assertEquals(reserved.get("activations"), live(stack).get("activations"));
                assertEquals(reserved.get("scratch"), live(stack).get("scratch"));
            }
        }
    }

    private static long grown(String label, Map<String, Long> before, Map<String, Long> after) {
        return after.get(label) - before.getOrDefault(label, 0L);
    }

    private static Map<String, Long> live(Stack stack) {
        Map<String, Long> live = new TreeMap<>();
        stack.backend().memory().labels().forEach((label, use) -> live.put(label, use.liveBytes()));
        return live;
    }

    @ParameterizedTest
    @CsvSource({
        "1,0,true,bf16",
        "2,1,true,bf16",
        "2,3,true,split",
        "2,2,false,bf16",
        "2,2,false,split",
        "2,0,true,signs",
        "2,0,false,signs"
    })
    void checkpointsArePartOfThePlan(int ranks, int stage, boolean asynchronous, String kept, @TempDir Path folder)
            throws Exception {
        ZeroConfig config =
                GptRun.config(ranks, stage, kept.equals("split") ? SPLIT : kept.equals("signs") ? ONE_BIT : BF16);
        Checkpoints kind = asynchronous ? Checkpoints.ASYNCHRONOUS : Checkpoints.SYNCHRONOUS;
        MemoryPlan plan = MemoryPlan.of(GptRun.model(), config, new MemoryPlan.Loop(GptRun::allocate, kind));
        GptRun run = GptRun.of(
                config, Optional.of(new Checkpointer.Settings(folder, 1, asynchronous, Checkpointer.OnFailure.FAIL)));
        assertEquals(peaks(run.memory(), OWN), peaks(plan.memory(), MemoryPlan.EXPORT));
    }

    @ParameterizedTest
    @CsvSource({"1,1,false,false", "2,2,false,true", "2,3,false,false", "2,3,true,false", "2,3,true,true"})
    void offloadIsPlannedWithoutFiles(int ranks, int stage, boolean parametersToo, boolean low, @TempDir Path folder)
            throws Exception {
        ZeroConfig config = offloaded(GptRun.config(ranks, stage, low ? LOW : BF16), folder, parametersToo);
        MemoryPlan plan = MemoryPlan.of(GptRun.model(), config, LOOP);
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(0, files.count(), "a plan writes nothing");
        }
        assertEquals(peaks(GptRun.of(config).memory(), OWN), peaks(plan.memory(), MemoryPlan.EXPORT));
    }

    private static ZeroConfig offloaded(ZeroConfig config, Path folder, boolean parametersToo) {
        ZeroOptimization zero = config.zero();
        Offload files = new Offload.Nvme(folder, 3);
        ZeroOptimization offloaded = new ZeroOptimization(
                zero.stage(),
                zero.reduceBucketElements(),
                zero.allgatherBucketElements(),
                zero.overlapCommunication(),
                zero.subGroupElements(),
                files,
                parametersToo ? files : new Offload.None(),
                zero.stage3(),
                zero.plusPlus());
        return config.withMemorySettings(offloaded, config.checkpointing(), config.batch());
    }

    private static Map<String, Long> peaks(MemoryUse use, String without) {
        Map<String, Long> peaks = new TreeMap<>();
        use.labels().forEach((label, bytes) -> peaks.put(label, bytes.peakBytes()));
        peaks.remove(without);
        return peaks;
    }

    @Test
    void labelsAtThePeakAddUpToIt() {
        MemoryPlan plan = MemoryPlan.of(GptRun.model(), GptRun.config(2, 2, BF16), LOOP);
        assertEquals(
                plan.peakBytes(),
                plan.atPeak().values().stream().mapToLong(Long::longValue).sum());
    }
}
