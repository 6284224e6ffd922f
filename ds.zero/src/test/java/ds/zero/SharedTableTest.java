package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
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
import java.util.Optional;
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
    private static final String TOLD = "the head goes on";
    private static final String BF16 = "\"bf16\": {\"enabled\": true}";

    /** What one rank asked for in the last step, and the weights after it. */
    private record Outcome(List<String> asked, Map<String, List<Float>> weights) {
        /** Sums of gradients, in their order; with a device another thread asks for collectives, and that of weights may be late. */
        List<String> sums() {
            return asked.stream()
                    .filter(label -> label.matches("(late )?gradients of .*"))
                    .toList();
        }
    }

    /**
     * A short training.
     *
     * @param types keys of the configuration
     * @param sequences of a micro-batch
     * @param overlaps whether anything may travel while others compute
     * @param tells whether the head says when the table's gradient is complete
     * @param held whether the table's weights leave only when somebody waits for all of them
     */
    private record Job(
            int stage,
            int ranks,
            int accumulation,
            String types,
            int sequences,
            boolean overlaps,
            boolean tells,
            boolean held) {
        static Job of(int stage, int ranks, int accumulation, String types) {
            return new Job(stage, ranks, accumulation, types, FEW, true, false, false);
        }

        Job waits() {
            return new Job(stage, ranks, accumulation, types, sequences, false, tells, held);
        }

        Job telling() {
            return new Job(stage, ranks, accumulation, types, sequences, overlaps, true, held);
        }

        Job with(int sequences) {
            return new Job(stage, ranks, accumulation, types, sequences, overlaps, tells, held);
        }

        Job holding() {
            return new Job(stage, ranks, accumulation, types, sequences, overlaps, tells, true);
        }

        ZeroConfig config() {
            return ZeroConfig.parse(
                            """
                            {"train_micro_batch_size_per_gpu": %d, "gradient_accumulation_steps": %d,
                             "optimizer": {"type": "AdamW", "params": {"lr": 0.01}},
                             "zero_optimization": {"stage": %d, "overlap_comm": %s, "stage3_param_persistence_threshold": 0},
                             %s"ds": {"seed": 4}}
                            """.formatted(
                                    sequences, accumulation, stage, overlaps, types.isEmpty() ? "" : types + ", "),
                            Known.ofWorld(ranks))
                    .value();
        }
    }

    private static Outcome run(Job job, Supplier<TensorBackend> opener) throws Exception {
        ZeroConfig config = job.config();
        Map<Integer, Outcome> outcomes = new ConcurrentHashMap<>();
        InProcessCommunicators.run(job.ranks(), communicator -> {
            List<String> asked = Collections.synchronizedList(new ArrayList<>());
            Optional<Runnable> told = job.tells() ? Optional.of(() -> asked.add(TOLD)) : Optional.empty();
            try (TensorBackend backend = opener.get();
                    ReferenceBackend host = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(
                            TableModel.build(told),
                            config,
                            backend,
                            host,
                            recording(communicator, asked, job.held()))) {
                long buckets = 0;
                for (int step = 0; step < STEPS; step++) {
                    asked.clear();
                    long number = step;
                    engine.trainBatch(i -> {
                        long first = ((long) communicator.rank() * job.accumulation() + i) * job.sequences();
                        return TableModel.batch(backend, number, first, job.sequences());
                    });
                    long now = bucketBytes(backend);
                    assertTrue(step == 0 || now == buckets, "buckets allocated in step " + step);
                    buckets = now;
                }
                outcomes.put(communicator.rank(), new Outcome(List.copyOf(asked), ZeroRun.weights(engine)));
            }
        });
        outcomes.values().forEach(outcome -> assertEquals(outcomes.get(0).sums(), outcome.sums()));
        return outcomes.get(0);
    }

    private static long bucketBytes(TensorBackend backend) {
        var use = backend.memory().labels().get("communicationBuckets");
        return use == null ? 0 : use.liveBytes();
    }

    private static Communicator recording(Communicator inner, List<String> asked, boolean held) {
        return (Communicator) Proxy.newProxyInstance(
                Communicator.class.getClassLoader(),
                new Class<?>[] {Communicator.class},
                (proxy, method, arguments) -> {
                    Optional<String> label = arguments != null && arguments[arguments.length - 1] instanceof Call call
                            ? Optional.of(call.label())
                            : Optional.empty();
                    label.ifPresent(asked::add);
                    if (held && label.equals(Optional.of("weights of lookUp"))) {
                        return awaited(
                                () -> inner.allGather((Tensor) arguments[0], (Tensor) arguments[1], (Call) arguments[2])
                                        .await(),
                                () -> asked.add("awaits weights of lookUp"));
                    }
                    try {
                        Object result = method.invoke(inner, arguments);
                        return switch (result) {
                            case Communicator part -> recording(part, asked, held);
                            case Work work -> awaited(work, () -> asked.add("awaits " + label.orElseThrow()));
                            case null, default -> result;
                        };
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static Work awaited(Work work, Runnable told) {
        return () -> {
            told.run();
            work.await();
        };
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
                Job job = Job.of(stage, 3, accumulation, type);
                Outcome early = run(job, ReferenceBackend::new);
                Outcome told = run(job.telling(), ReferenceBackend::new);
                Outcome waits = run(job.waits().telling(), ReferenceBackend::new);
                assertEquals(waits.weights(), early.weights(), job::toString);
                assertEquals(waits.weights(), told.weights(), job::toString);
                assertTrue(isEarly(early.asked()) && isEarly(told.asked()), early.asked()::toString);
                assertTrue(!isEarly(waits.asked()), waits.asked()::toString);
                assertTrue(travelsBeforeTheHeadGoesOn(told.asked()), told.asked()::toString);
                assertTrue(!travelsBeforeTheHeadGoesOn(waits.asked()), waits.asked()::toString);
            }
        }
    }

    /** In the step's last micro-batch. */
    private static boolean travelsBeforeTheHeadGoesOn(List<String> asked) {
        int table = asked.lastIndexOf("gradients of lookUp");
        return table >= 0 && table < asked.lastIndexOf(TOLD);
    }

    private static boolean isEarly(List<String> asked) {
        int table = asked.indexOf("gradients of lookUp");
        int late = asked.lastIndexOf("late gradients of lookUp");
        return table >= 0
                && table < asked.indexOf("gradients of scale.1")
                && late > asked.lastIndexOf("gradients of scale.0");
    }

    /** At stages that replicate weights, the first layer waits for the rows of its tokens alone, and the table is sent last. */
    @ParameterizedTest
    @CsvSource({"0, false", "1, true", "2, true", "3, false"})
    void theFirstLayerWaitsForItsRowsAlone(int stage, boolean byRows) throws Exception {
        for (String type : List.of("", BF16)) {
            Job job = Job.of(stage, 3, 2, type).with(1);
            List<String> asked = run(job, ReferenceBackend::new).asked();
            assertEquals(byRows ? 1 : 0, Collections.frequency(asked, "weights of rows of lookUp"), asked::toString);
            assertEquals(byRows, isLastOf("awaits weights of ", asked), asked::toString);
            assertEquals(byRows, isLastOf("weights of ", asked), asked::toString);
            Outcome held = run(job.holding(), ReferenceBackend::new);
            assertEquals(run(job.waits(), ReferenceBackend::new).weights(), held.weights(), job::toString);
        }
        int many = TableModel.TOKENS / (8 * TableModel.POSITIONS * 3) + 1;
        List<String> asked =
                run(Job.of(stage, 3, 2, "").with(many), ReferenceBackend::new).asked();
        assertTrue(!asked.contains("weights of rows of lookUp"), asked::toString);
    }

    private static boolean isLastOf(String what, List<String> asked) {
        return asked.indexOf(what + "lookUp") > asked.indexOf(what + "scale.1");
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "2, 2"})
    void isTheSameOnADevice(int stage, int accumulation) throws Exception {
        for (String type : List.of("", BF16)) {
            Job job = Job.of(stage, 2, accumulation, type);
            Outcome device = run(job.telling(), DetachedBackend::new);
            Outcome waits = run(job.waits(), ReferenceBackend::new);
            assertEquals(waits.weights(), device.weights(), stage + " " + type);
        }
    }

    @Test
    void weightsOfSmallerUnitsTravelWhileALargeFirstOneIsUpdated() {
        assertEquals(List.of(1, 2, 0), new Units(TableModel.build(), 0, 2, true).inOrderOfTravel(false));
        assertEquals(List.of(0, 1, 2), new Units(TinyModel.build(), 0, 2, true).inOrderOfTravel(false));
    }

    @Test
    void batchesThatNameMuchOfTheTableWait() throws Exception {
        int many = TableModel.TOKENS / (8 * 2 * TableModel.POSITIONS) + 1;
        Job job = Job.of(2, 2, 1, BF16).telling();
        assertTrue(isEarly(run(job.with(many - 1), ReferenceBackend::new).asked()));
        assertTrue(!isEarly(run(job.with(many), ReferenceBackend::new).asked()));
        Job alone = Job.of(2, 1, 1, BF16).telling();
        assertTrue(!isEarly(run(alone.with(1), ReferenceBackend::new).asked()), "one rank has nothing to send");
    }
}
