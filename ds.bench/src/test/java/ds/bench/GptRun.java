package ds.bench;

import ds.api.DType;
import ds.api.MemoryUse;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Traffic;
import ds.api.layer.Batch;
import ds.api.layer.Parameter;
import ds.api.layer.Sequential;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.Mesh;
import ds.zero.TrainingCheckpoints;
import ds.zero.ZeroEngine;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.run.Stack;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Three steps, an evaluation and a reading of all weights of a small GPT on the CPU backend, on ranks that are threads of this
 * JVM.
 *
 * @param losses of the steps and of the evaluation, rank 0's
 * @param weights after the last step, their bits
 * @param training what the backend held until the end of the evaluation
 * @param memory what it held in all
 * @param liveBytes after each step
 * @param sent in the last step
 */
record GptRun(
        List<Double> losses,
        List<Integer> weights,
        MemoryUse training,
        MemoryUse memory,
        List<Long> liveBytes,
        Traffic sent) {
    static final GptConfig SHAPE = GptConfig.of(300, 128, 4, 48, 4).withDropout(GptConfig.Rates.all(0.2));
    static final int B = 16;
    static final int T = 128;

    /** {@return a configuration with micro-batches of {@link #B} sequences and two of them a step} */
    static ZeroConfig config(int ranks, int stage, String more) {
        return config(ranks, stage, "", more);
    }

    /** {@return the same with more keys of {@code zero_optimization}} */
    static ZeroConfig config(int ranks, int stage, String zero, String more) {
        return ZeroConfig.parse(
                        """
                        {"train_micro_batch_size_per_gpu": %d, "gradient_accumulation_steps": 2,
                         "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 20000,
                                               "stage3_max_reuse_distance": 0%s}%s}
                        """.formatted(B, stage, zero.isEmpty() ? "" : ", " + zero, more.isEmpty() ? "" : ", " + more),
                        Known.ofWorld(ranks))
                .value();
    }

    static Sequential model() {
        return model(Optional.empty());
    }

    /** {@return the model, or one rank's part of it} */
    static Sequential model(Optional<Communicator> tensorParallel) {
        return new Gpt(SHAPE, tensorParallel).layers();
    }

    /** {@return room for a micro-batch} */
    static Batch allocate(TensorBackend backend) {
        Tensor inputs = backend.allocate(DType.I32, Shape.of(B, T), "batch");
        return Batch.of(inputs, backend.allocate(DType.I32, Shape.of(B, T), "batch"), 0);
    }

    /** {@return one rank that computes on one thread} */
    static Stack alone() {
        Communicator communicator =
                InProcessCommunicators.open(1, Duration.ofMinutes(1)).getFirst();
        return new Stack(openBackend(), communicator);
    }

    private static TensorBackend openBackend() {
        return Providers.backends().get("cpu").open(0, new ProviderOptions("ds.backend", Map.of("threads", 1L)));
    }

    /** {@return rank 0's run} */
    static GptRun of(ZeroConfig config) throws Exception {
        return of(config, Optional.empty());
    }

    /** {@return rank 0's run, which saves after its first and its second step} */
    static GptRun of(ZeroConfig config, Optional<Checkpointer.Settings> checkpoints) throws Exception {
        Map<Integer, GptRun> runs = new ConcurrentHashMap<>();
        InProcessCommunicators.run(
                config.batch().worldSize() * config.tensorParallel().size(),
                communicator -> runs.put(communicator.rank(), onRank(config, communicator, checkpoints)));
        return runs.get(0);
    }

    private static GptRun onRank(
            ZeroConfig config, Communicator communicator, Optional<Checkpointer.Settings> settings) {
        try (TensorBackend backend = openBackend();
                Mesh mesh = Mesh.of(new Stack(backend, communicator), config.tensorParallel());
                ZeroEngine engine = ZeroEngine.initialize(model(mesh.tensor()), config, mesh)) {
            Optional<TrainingCheckpoints> checkpoints = settings.map(engine::checkpoints);
            Batch batch = allocate(backend);
            fill(batch, engine.dataParallelRank());
            List<Double> losses = new ArrayList<>();
            List<Long> live = new ArrayList<>();
            Traffic sent = Traffic.NONE;
            for (int step = 0; step < 3; step++) {
                Traffic before = communicator.traffic();
                losses.add(engine.trainBatch(micro -> batch).loss());
                if (step < 2) {
                    checkpoints.ifPresent(saver -> saver.save(Map.of()));
                }
                live.add(backend.memory().liveBytes());
                sent = communicator.traffic().since(before);
            }
            losses.add(engine.evaluate(batch));
            MemoryUse training = backend.memory();
            List<Integer> weights = weights(engine);
            checkpoints.ifPresent(TrainingCheckpoints::close);
            return new GptRun(losses, weights, training, backend.memory(), live, sent);
        }
    }

    private static void fill(Batch batch, int rank) {
        for (int i = 0; i < B * T; i++) {
            batch.inputs().host().setAtIndex(ValueLayout.JAVA_INT, i, (31 * i + 7 * rank) % 300);
            batch.targets().orElseThrow().host().setAtIndex(ValueLayout.JAVA_INT, i, (31 * i + 7 * rank + 31) % 300);
        }
    }

    private static List<Integer> weights(ZeroEngine engine) {
        List<Integer> bits = new ArrayList<>();
        for (Parameter parameter : engine.parameters()) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment values = arena.allocate(parameter.whole().elements() * Float.BYTES, 64);
                engine.read(parameter, values);
                for (int value : values.toArray(ValueLayout.JAVA_INT)) {
                    bits.add(value);
                }
            }
        }
        return bits;
    }
}
