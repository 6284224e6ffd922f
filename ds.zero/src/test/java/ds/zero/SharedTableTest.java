package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.tck.DetachedBackend;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.unit.Units;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A table that the first and the last layer share travels before the layers between are done, and no bit depends on it. */
class SharedTableTest {
    private static final int STEPS = 3;
    private static final int FEW =
            2; // sequences of a micro-batch: 8 * 3 ranks * 2 * 3 tokens are fewer than the table has
    private static final String BF16 = "\"bf16\": {\"enabled\": true}";

    /** What one rank asked for in the last step, and the weights after it. */
    private record Outcome(List<String> asked, Map<String, List<Float>> weights) {}

    private static Outcome run(
            int stage, int ranks, int accumulation, String more, int sequences, Supplier<TensorBackend> opener)
            throws Exception {
        ZeroConfig config = ZeroConfig.parse(
                        """
                        {"train_micro_batch_size_per_gpu": %d, "gradient_accumulation_steps": %d,
                         "optimizer": {"type": "AdamW", "params": {"lr": 0.01}},
                         "zero_optimization": {"stage": %d, "overlap_comm": %s, "stage3_param_persistence_threshold": 0},
                         %s}
                        """.formatted(
                                        sequences,
                                        accumulation,
                                        stage,
                                        !more.contains("waits"),
                                        more.replace("waits", "")
                                                + (more.isBlank() || more.equals("waits") ? "" : ", ")
                                                + "\"ds\": {\"seed\": 4}"),
                        Known.ofWorld(ranks))
                .value();
        Map<Integer, Outcome> outcomes = new ConcurrentHashMap<>();
        InProcessCommunicators.run(ranks, communicator -> {
            List<String> asked = Collections.synchronizedList(new ArrayList<>());
            try (TensorBackend backend = opener.get();
                    ReferenceBackend host = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(
                            TableModel.build(), config, backend, host, recording(communicator, asked))) {
                long buckets = 0;
                for (int step = 0; step < STEPS; step++) {
                    asked.clear();
                    long number = step;
                    engine.trainBatch(i -> {
                        long first = ((long) communicator.rank() * accumulation + i) * sequences;
                        return TableModel.batch(backend, number, first, sequences);
                    });
                    long now = bucketBytes(backend);
                    assertTrue(step == 0 || now == buckets, "buckets allocated in step " + step);
                    buckets = now;
                }
                outcomes.put(communicator.rank(), new Outcome(List.copyOf(asked), ZeroRun.weights(engine)));
            }
        });
        outcomes.values().forEach(outcome -> assertEquals(outcomes.get(0).asked(), outcome.asked()));
        return outcomes.get(0);
    }

    private static long bucketBytes(TensorBackend backend) {
        var use = backend.memory().labels().get("communicationBuckets");
        return use == null ? 0 : use.liveBytes();
    }

    private static Communicator recording(Communicator inner, List<String> asked) {
        return (Communicator) Proxy.newProxyInstance(
                Communicator.class.getClassLoader(),
                new Class<?>[] {Communicator.class},
                (proxy, method, arguments) -> {
                    if (arguments != null
                            && arguments[arguments.length - 1] instanceof Call call
                            && call.label().contains("gradients of")) {
                        asked.add(call.label());
                    }
                    try {
                        return method.invoke(inner, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void noBitDependsOnWhenTheTableTravels(int stage) throws Exception {
        String[] types = {
            "",
            BF16,
            BF16 + ", \"data_types\": {\"grad_accum_dtype\": \"fp32\"}",
            BF16 + ", \"data_types\": {\"grad_accum_dtype\": \"fp32\"}, \"communication_data_type\": \"bf16\"",
            "\"communication_data_type\": \"bf16\""
        };
        for (String type : types) {
            for (int accumulation : new int[] {1, 3}) {
                Outcome early = run(stage, 3, accumulation, type, FEW, ReferenceBackend::new);
                Outcome waits = run(stage, 3, accumulation, "waits" + type, FEW, ReferenceBackend::new);
                assertEquals(waits.weights(), early.weights(), stage + " " + type + " " + accumulation);
                assertTrue(isEarly(early.asked()), early.asked()::toString);
                assertTrue(!isEarly(waits.asked()), waits.asked()::toString);
            }
        }
    }

    private static boolean isEarly(List<String> asked) {
        int table = asked.indexOf("gradients of lookUp");
        int late = asked.lastIndexOf("late gradients of lookUp");
        return table >= 0
                && table < asked.indexOf("gradients of scale.1")
                && late > asked.lastIndexOf("gradients of scale.0");
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "2, 2"})
    void isTheSameOnADevice(int stage, int accumulation) throws Exception {
        for (String type : List.of("", BF16)) {
            Outcome device = run(stage, 2, accumulation, type, FEW, DetachedBackend::new);
            Outcome waits = run(stage, 2, accumulation, "waits" + type, FEW, ReferenceBackend::new);
            assertEquals(waits.weights(), device.weights(), stage + " " + type);
        }
    }

    @Test
    void weightsOfSmallerUnitsTravelWhileALargeFirstOneIsUpdated() {
        assertEquals(List.of(1, 2, 0), new Units(TableModel.build(), 0, 2, true).inOrderOfTravel());
        assertEquals(List.of(0, 1, 2), new Units(TinyModel.build(), 0, 2, true).inOrderOfTravel());
    }

    @Test
    void batchesThatNameMuchOfTheTableWait() throws Exception {
        int many = TableModel.TOKENS / (8 * 2 * TableModel.POSITIONS) + 1;
        assertTrue(isEarly(run(2, 2, 1, BF16, many - 1, ReferenceBackend::new).asked()));
        assertTrue(!isEarly(run(2, 2, 1, BF16, many, ReferenceBackend::new).asked()));
        assertTrue(!isEarly(run(2, 1, 1, BF16, 1, ReferenceBackend::new).asked()), "one rank has nothing to send");
    }
}
