package ds.zero;

import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.Traffic;
import ds.api.layer.Parameter;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.run.StepResult;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * A few steps of the tiny model on ranks that are threads of this JVM.
 *
 * @param results of each step, rank 0's
 * @param weights after the last step, by parameter; checked to be the same on all ranks
 * @param traffic of the last step, rank 0's
 * @param elements of all parameters
 */
record ZeroRun(List<StepResult> results, Map<String, List<Float>> weights, Traffic traffic, long elements) {
    static final int ROWS = 72;
    static final int STEPS = 5;

    /** How the same global batch is dealt, and what is sharded. */
    record Setup(int stage, int ranks, int accumulation, String more) {
        private static final String ADAM =
                "\"optimizer\": {\"type\": \"AdamW\", \"params\": {\"lr\": 0.01, \"weight_decay\": 0.1}},";

        /** At stage 3 nothing stays gathered, small as the units are, unless {@code more} says otherwise. */
        private String blocks() {
            String zero = """
                    "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 0,
                     "stage3_max_reuse_distance": 0},
                    """.formatted(stage);
            return (more.contains("\"optimizer\"") ? "" : ADAM)
                    + (more.contains("zero_optimization") ? "" : zero)
                    + more;
        }

        ZeroConfig config() {
            return ZeroConfig.parse(
                            """
                            {"train_batch_size": %d, "gradient_accumulation_steps": %d,
                             %s %s}
                            """.formatted(
                                            ROWS,
                                            accumulation,
                                            blocks(),
                                            more.contains("\"ds\"") ? "" : "\"ds\": {\"seed\": 42}"),
                            Known.ofWorld(ranks))
                    .value();
        }
    }

    static ZeroRun of(Setup setup) throws Exception {
        return of(setup, ReferenceBackend::new);
    }

    /** {@return a run on a backend of another kind, with the reference beside it on the host} */
    static ZeroRun of(Setup setup, Supplier<TensorBackend> opener) throws Exception {
        Map<Integer, ZeroRun> runs = new ConcurrentHashMap<>();
        InProcessCommunicators.run(setup.ranks(), communicator -> {
            try (TensorBackend backend = opener.get();
                    ReferenceBackend host = new ReferenceBackend()) {
                runs.put(communicator.rank(), onRank(setup, communicator, backend, host));
            }
        });
        for (ZeroRun run : runs.values()) {
            if (!run.weights.equals(runs.get(0).weights)) {
                throw new AssertionError("ranks ended with different weights");
            }
        }
        return runs.get(0);
    }

    private static ZeroRun onRank(Setup setup, Communicator communicator, TensorBackend backend, TensorBackend host) {
        ZeroConfig config = setup.config();
        int micro = config.batch().microBatchSize();
        try (ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, host, communicator)) {
            List<StepResult> results = new ArrayList<>();
            Traffic traffic = Traffic.NONE;
            for (int step = 0; step < STEPS; step++) {
                Traffic before = communicator.traffic();
                long number = step;
                results.add(engine.trainBatch(i -> {
                    // Rank r gets a block of consecutive rows of the global batch, cut into its micro-batches.
                    long first = ((long) communicator.rank() * setup.accumulation() + i) * micro;
                    return TinyModel.batch(backend, number, first, micro);
                }));
                engine.awaitWeights();
                traffic = communicator.traffic().since(before);
            }
            return new ZeroRun(results, weights(engine), traffic, engine.parameterElements());
        }
    }

    /** {@return the loss of each step} */
    List<Double> losses() {
        return results.stream().map(StepResult::loss).toList();
    }

    /** {@return the global norm of each step's gradients} */
    List<Double> norms() {
        return results.stream().map(StepResult::gradientNorm).toList();
    }

    static Map<String, List<Float>> weights(ZeroEngine engine) {
        Map<String, List<Float>> weights = new LinkedHashMap<>();
        for (Parameter parameter : engine.parameters()) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment values = arena.allocate(parameter.elements() * Float.BYTES, 4);
                engine.read(parameter, values);
                List<Float> list = new ArrayList<>();
                for (float value : values.toArray(ValueLayout.JAVA_FLOAT)) {
                    list.add(value);
                }
                weights.put(parameter.name(), list);
            }
        }
        return weights;
    }
}
