package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.comm.Communicator;
import ds.api.layer.Batch;
import ds.api.layer.Sequential;
import ds.tck.DetachedBackend;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.ZeroRun.Setup;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** ZeRO++: what travels in 8 and in 4 bits, and secondary shards. */
class ZeroPlusPlusTest {
    private static final String WEIGHTS = "\"zero_quantized_weights\": true, ";
    private static final String GRADIENTS = "\"zero_quantized_gradients\": true, ";

    @TempDir
    private Path folder;

    /** {@return blocks of a run; at stage 3 nothing stays gathered} */
    private static String more(int stage, String zero, int perHost, String others) {
        return """
                "zero_optimization": {%s "stage": %d, "stage3_param_persistence_threshold": 0,
                 "stage3_max_reuse_distance": 0}, %s "ds": {"seed": 42, "ranks_per_host": %d}
                """.formatted(zero, stage, others, perHost);
    }

    private static String partition(int size) {
        return "\"zero_hpz_partition_size\": %d, ".formatted(size);
    }

    private static final int HIDDEN = 48; // a hidden unit has 2352 elements: several blocks in a shard
    private static final int ROWS = 24;
    private static final double RATE = 0.2;

    private static ZeroConfig config(int ranks, String more) {
        return ZeroConfig.parse("""
                        {"train_batch_size": %d, "optimizer": {"type": "SGD", "params": {"lr": %s}}, %s}
                        """.formatted(ROWS, RATE, more), Known.ofWorld(ranks))
                .value();
    }

    /**
     * Five times a step from the weights that the engine has is the plain simulation's, to 1e-6. Rounded gradients and sums have the
     * same bits in both; the simulation then updates in doubles.
     */
    @ParameterizedTest
    @CsvSource({
        "3,4,2,true,true,2",
        "3,4,2,true,true,1",
        "3,4,2,true,false,2",
        "3,4,2,false,true,2",
        "3,4,0,true,true,1",
        "3,4,1,false,true,1",
        "3,2,0,true,true,2",
        "3,6,2,true,true,2",
        "3,6,3,true,true,3",
        "2,4,2,false,true,1",
        "2,3,0,false,true,1",
        "1,4,2,false,true,1",
        "1,2,2,false,true,1"
    })
    void trainsAsThePlainSimulationDoes(
            int stage, int ranks, int perHost, boolean weights, boolean gradients, int partition) throws Exception {
        String zero = (weights ? WEIGHTS : "") + (gradients ? GRADIENTS : "") + partition(partition);
        ZeroConfig config = config(ranks, more(stage, zero, perHost, ""));
        boolean steps = perHost > 1 && perHost < ranks;
        var setup = new PlainZeroPlusPlus.Setup(ranks, steps ? perHost : ranks, weights, gradients, RATE);
        InProcessCommunicators.run(ranks, communicator -> assertTrains(config, setup, communicator));
    }

    private static void assertTrains(ZeroConfig config, PlainZeroPlusPlus.Setup setup, Communicator communicator) {
        Sequential model = TinyModel.build(HIDDEN);
        int rows = config.batch().microBatchSize();
        int rank = communicator.rank();
        ZeroConfig alone = ZeroConfig.parse("{\"train_batch_size\": %d}".formatted(rows), Known.ofWorld(1))
                .value();
        Communicator one =
                InProcessCommunicators.open(1, Duration.ofSeconds(60)).getFirst();
        try (ReferenceBackend backend = new ReferenceBackend();
                ReferenceBackend other = new ReferenceBackend();
                ZeroEngine oracle = ZeroEngine.initialize(TinyModel.build(HIDDEN), alone, other, one);
                ZeroEngine engine = ZeroEngine.initialize(model, config, backend, communicator)) {
            var plain = new PlainZeroPlusPlus(setup, TinyModel.build(HIDDEN), oracle);
            List<Batch> batches = IntStream.range(0, ZeroRun.STEPS)
                    .mapToObj(step -> TinyModel.batch(backend, step, (long) rank * rows, rows))
                    .toList();
            long live = 0;
            for (int step = 0; step < batches.size(); step++) {
                int number = step;
                Map<String, List<Float>> before = ZeroRun.weights(engine);
                double loss = engine.trainBatch(micro -> batches.get(number)).loss();
                Map<String, List<Float>> after = ZeroRun.weights(engine);
                assertTrue(step < 2 || backend.memory().liveBytes() == live, "a steady step allocates nothing");
                live = backend.memory().liveBytes();
                if (rank == step % setup.ranks()) {
                    double expected = plain.step(before, r -> TinyModel.batch(other, number, (long) r * rows, rows));
                    assertEquals(expected, loss, 1e-6 * expected, "loss of step " + step);
                    assertNear(plain.weights(), after);
                }
            }
        }
        one.close();
    }

    private static void assertNear(Map<String, double[]> expected, Map<String, List<Float>> actual) {
        expected.forEach((name, values) -> {
            for (int i = 0; i < values.length; i++) {
                assertEquals(values[i], actual.get(name).get(i), 1e-6, name + " " + i);
            }
        });
    }

    /** Secondary shards are copies of what all ranks compute with. */
    @ParameterizedTest
    @CsvSource({"4,2,''", "4,4,''", "4,2,q", "6,3,q"})
    void secondaryShardsChangeNoBitAndSendLess(int ranks, int size, String quantized) throws Exception {
        String zero = quantized.isEmpty() ? "" : WEIGHTS;
        ZeroRun without = ZeroRun.of(new Setup(3, ranks, 2, more(3, zero, 0, "")));
        ZeroRun with = ZeroRun.of(new Setup(3, ranks, 2, more(3, zero + partition(size), 0, "")));
        assertEquals(without.losses(), with.losses());
        assertEquals(without.weights(), with.weights());
        // Two micro-batches gather three units twice: the first time from all, then from the part.
        long unit = 32L * ranks;
        long fromAll = quantized.isEmpty() ? unit / ranks * 4 * (ranks - 1) : 4L * 17 * (ranks - 1);
        long fromPart = unit / size * 4 * (size - 1);
        assertEquals(
                3 * (3 * fromAll), without.traffic().bytes() - with.traffic().bytes() + 3 * 3 * fromPart);
    }

    /** Whatever is offloaded, and wherever it is computed: the bits of the reference in memory. */
    @Test
    void devicesAndOffloadChangeNoBit() throws Exception {
        String zero = WEIGHTS + GRADIENTS + partition(2);
        String bf16 = "\"bf16\": {\"enabled\": true},";
        ZeroRun plain = ZeroRun.of(new Setup(3, 4, 2, more(3, zero, 2, bf16)));
        String nvme = "{\"device\": \"nvme\", \"nvme_path\": \"%s\", \"buffer_count\": 3}".formatted(folder);
        for (String where : List.of(nvme, "{\"device\": \"cpu\"}")) {
            String offload = "\"offload_optimizer\": %s, \"offload_param\": %s, ".formatted(where, where);
            Setup setup = new Setup(3, 4, 2, more(3, zero + offload, 2, bf16));
            assertEquals(plain.weights(), ZeroRun.of(setup).weights(), where);
            assertEquals(
                    plain.weights(), ZeroRun.of(setup, DetachedBackend::new).weights(), where);
        }
        Setup waiting = new Setup(3, 4, 2, more(3, zero + "\"overlap_comm\": false, ", 2, bf16));
        assertEquals(plain.weights(), ZeroRun.of(waiting).weights());
    }

    /** The gradients of one rank overflow; all skip the step. */
    @ParameterizedTest
    @CsvSource({"3,2", "3,0", "1,2"})
    void anOverflowIsSeenBehindTheExchange(int stage, int perHost) throws Exception {
        String fp16 = "\"fp16\": {\"enabled\": true, \"initial_scale_power\": 24, \"hysteresis\": 1},";
        ZeroRun run = ZeroRun.of(new Setup(stage, 4, 1, more(stage, GRADIENTS, perHost, fp16)));
        assertTrue(run.results().getFirst().skipped(), "2^24 times a gradient is more than 65504");
    }

    @Test
    void oneRankExchangesNothing() throws Exception {
        ZeroRun plain = ZeroRun.of(new Setup(3, 1, 1, more(3, "", 0, "")));
        ZeroRun all = ZeroRun.of(new Setup(3, 1, 1, more(3, WEIGHTS + GRADIENTS, 0, "")));
        assertEquals(plain.weights(), all.weights());
    }

    @Test
    void quantizedTrainingIsAnotherOneButStaysNear() throws Exception {
        ZeroRun plain = ZeroRun.of(new Setup(3, 4, 1, more(3, "", 2, "")));
        ZeroRun all = ZeroRun.of(new Setup(3, 4, 1, more(3, WEIGHTS + GRADIENTS, 2, "")));
        assertNotEquals(plain.weights(), all.weights());
        Map<String, List<Float>> a = plain.weights();
        // AdamW moves a weight by its rate of 0.01 at most in each of five steps.
        a.forEach((name, values) -> {
            for (int i = 0; i < values.size(); i++) {
                assertEquals(values.get(i), all.weights().get(name).get(i), 2 * 5 * 0.0101, name);
            }
        });
    }
}
