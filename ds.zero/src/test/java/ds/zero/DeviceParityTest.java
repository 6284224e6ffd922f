package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.MemoryUse;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.Batch;
import ds.api.layer.Parameter;
import ds.api.spi.ProviderException;
import ds.tck.DetachedBackend;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.ZeroRun.Setup;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.checkpoint.Checkpointer.OnFailure;
import ds.zero.checkpoint.Checkpointer.What;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A device with memory and streams of its own gives the bits of the host, wherever weights and states are kept between their uses,
 * and in whatever proportion. Ranks communicate through the host.
 */
class DeviceParityTest {
    private static final String CPU = "{\"device\": \"cpu\"}";

    private static final String BF16 = "\"bf16\": {\"enabled\": true},";

    @TempDir
    private Path folder;

    @TempDir
    private Path checkpoints;

    @AfterEach
    void noFileOfStatesIsLeftBehind() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(0, files.count());
        }
    }

    private String optimizer(String device, double ratio) {
        return switch (device) {
            case "none" -> "";
            case "cpu" -> ", \"offload_optimizer\": {\"device\": \"cpu\", \"ratio\": %s}".formatted(ratio);
            default ->
                ", \"offload_optimizer\": {\"device\": \"nvme\", \"nvme_path\": \"%s\", \"buffer_count\": 3, \"ratio\": %s}"
                        .formatted(folder, ratio);
        };
    }

    private String parameters(String device) {
        return switch (device) {
            case "none" -> "";
            case "cpu" -> ", \"offload_param\": " + CPU;
            default -> ", \"offload_param\": {\"device\": \"nvme\", \"nvme_path\": \"%s\"}".formatted(folder);
        };
    }

    /** Tiles of files of 24 elements, as {@link ParityMatrixTest}'s. */
    private static Setup setup(int stage, int ranks, int accumulation, String offload, String more) {
        return new Setup(stage, ranks, accumulation, more + """
                "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 0, "stage3_max_reuse_distance": 0,
                 "sub_group_size": 24%s},
                """.formatted(stage, offload));
    }

    /** {@return what can be offloaded at a stage} */
    private List<String> offloads(int stage) {
        List<String> all = new ArrayList<>(List.of(""));
        for (String device : stage == 0 ? new String[0] : new String[] {"cpu", "nvme"}) {
            for (double ratio : new double[] {1, 0.6}) {
                all.add(optimizer(device, ratio));
                if (stage == 3) {
                    all.add(optimizer(device, ratio) + parameters("cpu"));
                }
            }
        }
        if (stage == 3) {
            all.add(parameters("cpu"));
            all.add(optimizer("nvme", 1) + parameters("nvme"));
        }
        return all;
    }

    @ParameterizedTest
    @CsvSource({"bf16,1,1", "bf16,2,3", "bf16,3,1", "fp32,2,1", "fp16,3,3"})
    void everyPlaceOfStatesHasTheBitsOfTheHost(String type, int ranks, int accumulation) throws Exception {
        String precision = type.equals("fp32") ? "" : "\"%s\": {\"enabled\": true},".formatted(type);
        Map<Integer, ZeroRun> expected = new HashMap<>();
        int cells = 0;
        for (int stage = 0; stage <= 3; stage++) {
            expected.put(stage, ZeroRun.of(setup(stage, ranks, accumulation, "", precision)));
            for (String offload : offloads(stage)) {
                assertSame(expected.get(stage), setup(stage, ranks, accumulation, offload, precision));
                cells++;
            }
        }
        assertEquals(1 + 5 + 5 + 11, cells);
    }

    private static void assertSame(ZeroRun expected, Setup setup) throws Exception {
        ZeroRun run = ZeroRun.of(setup, DetachedBackend::new);
        assertEquals(expected.losses(), run.losses(), setup::toString);
        assertEquals(expected.norms(), run.norms(), setup::toString);
        assertEquals(expected.weights(), run.weights(), setup::toString);
        assertEquals(expected.traffic().elements(), run.traffic().elements(), setup::toString);
    }

    @ParameterizedTest
    @CsvSource({"Lamb,1", "Muon,2", "Lion,2", "Lamb,3", "Muon,3"})
    void everyOptimizerWorksOnTheHost(String type, int stage) throws Exception {
        String optimizer = "\"optimizer\": {\"type\": \"%s\", \"params\": {\"lr\": 0.01}},".formatted(type);
        ZeroRun expected = ZeroRun.of(setup(stage, 2, 1, "", BF16 + optimizer));
        for (double ratio : new double[] {1, 0.5, 0.2}) {
            assertSame(expected, setup(stage, 2, 1, optimizer("cpu", ratio), BF16 + optimizer));
        }
    }

    @Test
    void ratioIsOfFilesOnTheHostToo() throws Exception {
        ZeroRun expected = ZeroRun.of(setup(2, 2, 1, "", BF16));
        for (double ratio : new double[] {0, 0.3, 0.6}) {
            ZeroRun files = ZeroRun.of(setup(2, 2, 1, optimizer("nvme", ratio), BF16));
            assertEquals(expected.weights(), files.weights());
            assertEquals(expected.losses(), files.losses());
        }
        assertEquals(
                expected.weights(),
                ZeroRun.of(setup(2, 2, 1, optimizer("cpu", 0.6), BF16)).weights());
    }

    @Test
    void backendOnTheHostIsOpenedByName() throws Exception {
        Setup setup = new Setup(3, 1, 1, withZero(optimizer("cpu", 1), "\"ds\": {\"host_backend\": \"elsewhere\"}"));
        InProcessCommunicators.run(1, communicator -> {
            try (DetachedBackend backend = new DetachedBackend()) {
                var e = assertThrows(
                        ProviderException.class,
                        () -> ZeroEngine.initialize(TinyModel.build(), setup.config(), backend, communicator));
                assertTrue(e.getMessage().contains("ds.host_backend = elsewhere"), e.getMessage());
                var other = assertThrows(
                        ProviderException.class,
                        () -> ZeroEngine.initialize(TinyModel.build(), setup.config(), backend, backend, communicator));
                assertTrue(other.getMessage().contains("memory is on detached"), other.getMessage());
            }
        });
    }

    private static final String LOW = "\"bf16\": {\"enabled\": true, \"bf16_master_weights_and_grads\": true,"
            + " \"bf16_optimizer_states\": true},";

    private static String split(String states) {
        return BF16 + "\"ds\": {\"seed\": 42, \"states\": {\"master_weights\": \"split\", \"optimizer_states\": \""
                + states + "\"}}";
    }

    @Test
    void statesOfFewerBitsKeepTheirs() throws Exception {
        ZeroRun low = ZeroRun.of(setup(2, 2, 1, "", LOW));
        assertSame(low, setup(2, 2, 1, optimizer("cpu", 1), LOW));
        assertSame(low, setup(2, 2, 1, optimizer("cpu", 0.5), LOW));
        assertSame(low, setup(2, 2, 1, optimizer("nvme", 0.5), LOW));
        Setup host = new Setup(3, 2, 1, withZero("", split("bf16")));
        Setup both = new Setup(3, 2, 1, withZero(optimizer("cpu", 1) + parameters("cpu"), split("bf16")));
        assertSame(ZeroRun.of(host), both);
    }

    /** As {@link #setup}, with the block {@code ds} at the end. */
    private static String withZero(String offload, String ds) {
        return """
                "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0%s},
                """.formatted(offload) + ds;
    }

    @Test
    void splitMastersNeedTheWeightsBesideThem() {
        Setup setup = new Setup(3, 1, 1, withZero(optimizer("cpu", 1), split("fp32")));
        var e = assertThrows(IllegalArgumentException.class, () -> ZeroRun.of(setup, DetachedBackend::new));
        assertTrue(e.getMessage().contains("ds.states.master_weights = split"), e.getMessage());
    }

    @Test
    void memoryIsWhereItWasAskedFor() throws Exception {
        Setup setup = setup(3, 1, 1, optimizer("cpu", 1) + parameters("cpu"), BF16);
        InProcessCommunicators.run(1, communicator -> {
            try (DetachedBackend backend = new DetachedBackend();
                    ReferenceBackend host = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), setup.config(), backend, host, communicator)) {
                Batch batch = TinyModel.batch(backend, 0, 0, ZeroRun.ROWS);
                engine.trainBatch(i -> batch);
                engine.trainBatch(i -> batch);
                long parameters = engine.parameterElements();
                assertEquals(0, live(backend.memory(), "weights"));
                assertEquals(0, live(backend.memory(), "optimizerStates"));
                assertTrue(live(backend.hostMemory(), "weights") >= 2 * parameters);
                assertTrue(live(host.memory(), "masterWeights") >= 4 * parameters);
                assertTrue(live(host.memory(), "optimizerStates") >= 8 * parameters);
                long onDevice = backend.memory().liveBytes();
                long onHost = backend.hostMemory().liveBytes() + host.memory().liveBytes();
                engine.trainBatch(i -> batch);
                assertEquals(onDevice, backend.memory().liveBytes(), "nothing is allocated in a steady step");
                assertEquals(
                        onHost, backend.hostMemory().liveBytes() + host.memory().liveBytes());
            }
        });
    }

    private static long live(MemoryUse use, String label) {
        return use.labels().containsKey(label) ? use.labels().get(label).liveBytes() : 0;
    }

    /** What a run leaves: its losses, and the weights at the end. */
    private record Outcome(List<Double> losses, Map<String, List<Float>> weights) {}

    /** What is done with a training. */
    private interface Body {
        void run(ZeroEngine engine, TrainingCheckpoints saver);
    }

    private Outcome run(Setup setup, boolean onDevice, Body before, int steps, Body after) throws Exception {
        Map<Integer, Outcome> outcomes = new ConcurrentHashMap<>();
        InProcessCommunicators.run(setup.ranks(), communicator -> {
            try (TensorBackend backend = onDevice ? new DetachedBackend() : new ReferenceBackend();
                    ReferenceBackend host = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), setup.config(), backend, host, communicator);
                    TrainingCheckpoints saver = engine.checkpoints(
                            new Checkpointer.Settings(checkpoints, 9, steps % 2 == 0, OnFailure.FAIL))) {
                before.run(engine, saver);
                List<Double> losses = new ArrayList<>();
                for (int step = 0; step < steps; step++) {
                    losses.add(engine.trainBatch(i -> batch(setup, engine, communicator, saver.step()))
                            .loss());
                }
                after.run(engine, saver);
                losses.add(engine.evaluate(batch(setup, engine, communicator, 99)));
                outcomes.put(communicator.rank(), new Outcome(losses, ZeroRun.weights(engine)));
            }
        });
        return outcomes.get(0);
    }

    private static Batch batch(Setup setup, ZeroEngine engine, Communicator communicator, long step) {
        int micro = setup.config().batch().microBatchSize();
        return TinyModel.batch(engine.backend(), step, (long) communicator.rank() * micro, micro);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void checkpointsAreSavedAndRestoredFromWhereverStatesAre(boolean parametersToo) throws Exception {
        String more = parametersToo ? parameters("cpu") : "";
        Setup plain = setup(3, 2, 1, "", BF16);
        List<Setup> others = List.of(
                setup(3, 3, 1, optimizer("cpu", 0.6) + more, BF16),
                setup(3, 2, 1, optimizer("cpu", 1) + more, BF16),
                setup(3, 2, 1, optimizer("nvme", 0.6) + more, BF16));
        Body nothing = (engine, saver) -> {};
        Body save = (engine, saver) -> saver.save(Map.of());
        Body restore = (engine, saver) -> saver.restore(saver.latest().orElseThrow(), What.EVERYTHING);
        Outcome expected = run(plain, false, nothing, 6, nothing);
        run(others.get(1), true, nothing, 2, save); // written from the host beside a device
        for (Setup setup : others) {
            Outcome same = run(setup, true, restore, 4 - setup.ranks() % 2 * 4, nothing);
            if (setup.ranks() == 2) {
                assertEquals(expected.losses().subList(2, 7), same.losses(), setup::toString);
                assertEquals(expected.weights(), same.weights(), setup::toString);
            }
        }
        Outcome onHost = run(plain, false, restore, 4, save); // read on the host, and written there
        assertEquals(expected.weights(), onHost.weights());
        Outcome read = run(others.get(0), true, restore, 0, nothing); // on other ranks: what was saved
        assertEquals(expected.weights(), read.weights());
    }

    @ParameterizedTest
    @CsvSource({"2,none,none", "2,cpu,none", "3,cpu,none", "3,cpu,cpu", "3,none,cpu", "3,nvme,nvme", "3,nvme,cpu"})
    void weightsReplacedFromOutsideAreComputedWith(int stage, String states, String weights) throws Exception {
        double ratio = states.equals("cpu") ? 0.6 : 1;
        Setup setup = setup(stage, 2, 1, optimizer(states, ratio) + parameters(weights), BF16);
        Body halve = (engine, saver) -> {
            for (Parameter parameter : engine.parameters()) {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment values = arena.allocate(parameter.elements() * Float.BYTES, 4);
                    engine.read(parameter, values);
                    for (long i = 0; i < parameter.elements(); i++) {
                        float value = values.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                        values.setAtIndex(ValueLayout.JAVA_FLOAT, i, value / 2);
                    }
                    engine.write(parameter, values);
                }
            }
        };
        Body nothing = (engine, saver) -> {};
        assertEquals(run(setup(stage, 2, 1, "", BF16), false, nothing, 1, halve), run(setup, true, nothing, 1, halve));
    }
}
