package ds.comm.nccl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.MemoryUse;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Rendezvous;
import ds.api.comm.Secret;
import ds.api.layer.Batch;
import ds.api.spi.Availability;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.api.spi.TensorBackendProvider;
import ds.comm.nccl.GpuTraining.Outcome;
import ds.cuda.NativeLibrary;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.tck.comm.RankThreads;
import ds.zero.TrainingCheckpoints;
import ds.zero.ZeroEngine;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.checkpoint.Checkpointer.OnFailure;
import ds.zero.checkpoint.Checkpointer.What;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Training by ZeRO on backend cuda and communicator nccl together: on a GPU, or on the emulated ones of profile {@code emulator}. */
class GpuTrainingTest {
    private static final String BF16 = "\"bf16\": {\"enabled\": true}";

    /** Orders of summation differ: some roundings of F32, over 64 to 256 summands, of losses near ln 97. */
    private static final double F32_BOUND = 1e-5;

    /** Activations are rounded to 8 bits, in other places; a mean over 160 tokens has that over the root of their number. */
    private static final double BF16_BOUND = 1.0 / 256 / Math.sqrt(160) * 8;

    @TempDir
    private Path folder;

    @BeforeEach
    void needsAGpu() {
        Availability gpu = cuda().map(TensorBackendProvider::availability)
                .orElseGet(() -> new Availability.Unavailable("no backend cuda"));
        assumeTrue(gpu instanceof Availability.Available, gpu.toString());
        assumeTrue(new NcclCommunicatorProvider().availability() instanceof Availability.Available, "no NCCL");
    }

    private static TensorBackend device(int rank) {
        return cuda().orElseThrow().open(rank, ProviderOptions.none("ds.backend_options"));
    }

    /** On the module path it is found there; a GPU's machine has everything on the class path, where no descriptor is read. */
    private static Optional<TensorBackendProvider> cuda() {
        return Providers.backends().all().stream()
                .filter(provider -> provider.name().equals("cuda"))
                .findFirst();
    }

    private static Outcome onGpu(GpuTraining training) {
        try (TensorBackend device = device(0);
                ReferenceBackend host = new ReferenceBackend();
                Communicator alone = alone()) {
            return training.run(device, host, alone);
        }
    }

    private static Communicator alone() {
        return new NcclCommunicatorProvider().open(Rendezvous.alone(), ProviderOptions.none("ds.communicator_options"));
    }

    private static Outcome onReference(GpuTraining training) throws Exception {
        Map<Integer, Outcome> outcomes = new ConcurrentHashMap<>();
        InProcessCommunicators.run(1, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend()) {
                outcomes.put(0, training.run(backend, backend, communicator));
            }
        });
        return outcomes.get(0);
    }

    private static void assertClose(Outcome expected, Outcome actual, double bound) {
        for (int step = 0; step < expected.losses().size(); step++) {
            double loss = expected.losses().get(step);
            assertEquals(loss, actual.losses().get(step), bound * loss, "loss of step " + step + ": " + actual);
        }
        assertTrue(expected.losses().getLast() > 1, "a model that has not learnt the text by heart");
    }

    @ParameterizedTest
    @CsvSource({"fp32,0", "fp32,2", "bf16,0", "bf16,1", "bf16,2", "bf16,3"})
    void lossesAreThoseOfTheReference(String type, int stage) throws Exception {
        String keys = zero(stage, "") + (type.equals("bf16") ? ", " + BF16 : "");
        GpuTraining training = new GpuTraining(keys, 0.1, 4);
        assertClose(onReference(training), onGpu(training), type.equals("bf16") ? BF16_BOUND : F32_BOUND);
    }

    private static String zero(int stage, String more) {
        return "\"zero_optimization\": {\"stage\": %d, \"stage3_param_persistence_threshold\": 0%s}"
                .formatted(stage, more);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2, 3})
    void theSameSeedGivesTheSameBits(int stage) {
        GpuTraining training = new GpuTraining(zero(stage, "") + ", " + BF16, 0.1, 4);
        assertEquals(onGpu(training), onGpu(training));
    }

    @ParameterizedTest
    @CsvSource({"1,1,none", "2,0.5,none", "3,0.5,none", "3,1,cpu", "3,0.25,cpu"})
    void offloadedStatesTrainAlike(int stage, double ratio, String parameters) {
        GpuTraining whole = new GpuTraining(zero(stage, "") + ", " + BF16, 0, 4);
        // Updates of the two places differ in the last bit of F32, and so now and then a weight does in BF16.
        assertClose(onGpu(whole), onGpu(offloaded(stage, ratio, parameters)), BF16_BOUND);
    }

    private static GpuTraining offloaded(int stage, double ratio, String parameters) {
        String more = ", \"offload_optimizer\": {\"device\": \"cpu\", \"ratio\": %s}%s"
                .formatted(ratio, parameters.equals("cpu") ? ", \"offload_param\": {\"device\": \"cpu\"}" : "");
        return new GpuTraining(zero(stage, more) + ", " + BF16, 0, 4);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.25, 0.5, 1})
    void ratioSplitsStatesBetweenDeviceAndHost(double ratio) {
        GpuTraining training = offloaded(2, ratio, "none");
        try (TensorBackend device = device(0);
                ReferenceBackend host = new ReferenceBackend();
                Communicator alone = alone();
                ZeroEngine engine = training.engine(device, host, alone)) {
            Batch batch = training.batch(device, 0, alone);
            engine.trainBatch(micro -> batch);
            engine.trainBatch(micro -> batch);
            long bytes = 8 * engine.parameterElements(); // two moments in F32
            assertEquals(ratio * bytes, live(host.memory(), "optimizerStates"), 0.02 * bytes);
            assertEquals((1 - ratio) * bytes, live(device.memory(), "optimizerStates"), 0.02 * bytes);
            assertTrue(live(device.hostMemory(), "offloadBuffers") > 0, "what travels is pinned");
            long onDevice = device.memory().liveBytes();
            long pinned = device.hostMemory().liveBytes();
            engine.trainBatch(micro -> batch);
            assertEquals(onDevice, device.memory().liveBytes(), "nothing is allocated in a steady step");
            assertEquals(pinned, device.hostMemory().liveBytes());
        }
    }

    private static long live(MemoryUse use, String label) {
        return use.labels().containsKey(label) ? use.labels().get(label).liveBytes() : 0;
    }

    /** On the emulated device alone, which counts: norm and loss are what the host has to know in a step, and it is told once. */
    @ParameterizedTest
    @CsvSource({"0,1", "1,1", "2,1", "3,1", "2,3"})
    void aStepWaitsForTheDeviceOnce(int stage, int accumulation) throws Throwable {
        assumeEmulated();
        MethodHandle waits = NativeLibrary.load("the emulated driver", List.of("libcuda.so.1"))
                .function("emulatedSynchronizations", FunctionDescriptor.of(ValueLayout.JAVA_LONG));
        String more = ", \"gradient_accumulation_steps\": " + accumulation;
        GpuTraining training = new GpuTraining(zero(stage, "") + ", " + BF16 + more, 0.1, 2 * accumulation);
        try (TensorBackend device = device(0);
                ReferenceBackend host = new ReferenceBackend();
                Communicator alone = alone();
                ZeroEngine engine = training.engine(device, host, alone)) {
            GpuTraining micro = new GpuTraining("", 0, 2);
            Batch batch = micro.batch(device, 0, alone);
            for (int step = 0; step < 3; step++) { // memory grows in the first, and is one block from the second on
                engine.trainBatch(i -> batch);
            }
            long before = (long) waits.invokeExact();
            int steps = 3;
            for (int step = 0; step < steps; step++) {
                engine.trainBatch(i -> batch);
            }
            assertEquals(steps, (long) waits.invokeExact() - before, "waits of the host for the device in 3 steps");
        }
    }

    private static void assumeEmulated() {
        assumeTrue(System.getenv("DS_EMULATED_DEVICES") != null, "not the emulated device");
    }

    /** What one of two ranks does. */
    @FunctionalInterface
    private interface RankTraining {
        Outcome run(TensorBackend device, TensorBackend host, Communicator communicator) throws Exception;
    }

    /** {@return what each of two ranks leaves} */
    private static Map<Integer, Outcome> onTwoGpus(RankTraining training) throws Exception {
        Map<Integer, Outcome> outcomes = new ConcurrentHashMap<>();
        int port;
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        Optional<Secret> secret = Optional.of(Secret.of("a secret of the test's own"));
        RankThreads.run(
                2,
                rank -> new NcclCommunicatorProvider()
                        .open(
                                new Rendezvous(rank, 2, rank, "127.0.0.1", port, secret),
                                ProviderOptions.none("ds.communicator_options")),
                communicator -> {
                    try (TensorBackend device = device(communicator.rank());
                            ReferenceBackend host = new ReferenceBackend()) {
                        outcomes.put(communicator.rank(), training.run(device, host, communicator));
                    }
                });
        return outcomes;
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void twoRanksTrainAsOneWithTheWholeBatch(int stage) throws Exception {
        assumeEmulated(); // real GPUs are one for each process
        GpuTraining training = new GpuTraining(zero(stage, ""), 0.1, 4);
        Map<Integer, Outcome> outcomes = onTwoGpus(training::run);
        assertEquals(outcomes.get(0), outcomes.get(1));
        assertClose(onGpu(training), outcomes.get(0), F32_BOUND);
    }

    /** What ranks tell each other beside training: where their shards are, and what their clocks say. */
    @ParameterizedTest
    @CsvSource({"0,false", "1,true", "2,false", "3,true"})
    void twoRanksSaveResumeAndDrawATimeline(int stage, boolean asynchronous) throws Exception {
        assumeEmulated();
        GpuTraining training = new GpuTraining(zero(stage, "") + ", " + BF16, 0.1, 4);
        Checkpointer.Settings settings =
                new Checkpointer.Settings(folder.resolve("checkpoints"), 2, asynchronous, OnFailure.FAIL);
        Map<Integer, Outcome> whole = onTwoGpus((device, host, communicator) -> {
            try (ZeroEngine engine = training.engine(device, host, communicator);
                    TrainingCheckpoints checkpoints = engine.checkpoints(settings)) {
                engine.startTimeline();
                training.train(engine, device, communicator, 0, 2);
                checkpoints.save(Map.of());
                Outcome outcome = training.train(engine, device, communicator, 2, 4);
                engine.writeTimeline(folder.resolve("timeline.json"));
                return outcome;
            }
        });
        Map<Integer, Outcome> resumed = onTwoGpus((device, host, communicator) -> {
            try (ZeroEngine engine = training.engine(device, host, communicator);
                    TrainingCheckpoints checkpoints = engine.checkpoints(settings)) {
                checkpoints.restore(checkpoints.latest().orElseThrow(), What.EVERYTHING);
                return training.train(engine, device, communicator, 2, 4);
            }
        });
        assertEquals(whole, resumed);
        String timeline = Files.readString(folder.resolve("timeline.json"));
        assertTrue(timeline.contains("rank 0") && timeline.contains("rank 1"), timeline);
    }
}
