package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Signs;
import ds.api.comm.Traffic;
import ds.api.layer.Batch;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.ZeroRun.Setup;
import ds.zero.config.ZeroConfig;
import ds.zero.run.StepResult;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** 1-bit Adam in the engine: phases, what is sent, overflow, accumulation, clipping. That it is the algorithm is for OneBitUpdateTest. */
class OneBitAdamTest {
    private static final int FREEZE = 2;

    private static String optimizer(String more) {
        return "\"optimizer\": {\"type\": \"OneBitAdam\", \"params\": {\"lr\": 0.01, \"weight_decay\": 0.1, \"freeze_step\": "
                + FREEZE + more + "}},";
    }

    private static ZeroRun run(int ranks, int accumulation, String more) throws Exception {
        return ZeroRun.of(new Setup(0, ranks, accumulation, optimizer("") + more));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void warmUpIsAdamW(int ranks) throws Exception {
        ZeroRun adam = ZeroRun.of(new Setup(0, ranks, 1, ""));
        ZeroRun oneBit = run(ranks, 1, "");
        assertEquals(adam.losses().subList(0, FREEZE + 1), oneBit.losses().subList(0, FREEZE + 1));
        assertNotEquals(adam.losses().get(FREEZE + 1), oneBit.losses().get(FREEZE + 1));
    }

    /** Three units, each padded to shards of 32: a word of bits and a scale for each shard, to the sum's rank and to all. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4})
    void sendsSignsOnceTheVarianceIsFrozen(int ranks) throws Exception {
        Traffic traffic = run(ranks, 1, "").traffic();
        long shard = Math.ceilDiv(Math.ceilDiv(56, ranks), 32) * 32L; // the largest unit's; the others have 56 and 35
        long shardOfTied = Math.ceilDiv(Math.ceilDiv(35, ranks), 32) * 32L;
        long signs = 2L * (ranks - 1) * Integer.BYTES * (2 * Signs.words(shard) + Signs.words(shardOfTied));
        long normAndLoss = 2L * (ranks - 1) * 2 * Double.BYTES / ranks;
        assertEquals(
                (double) signs,
                (double) (traffic.bytes() - normAndLoss),
                2 * Double.BYTES); // of two numbers a rank may sum none
        assertEquals(1 + 2 * 3, traffic.collectives());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\"bf16\": {\"enabled\": true},", "\"fp16\": {\"enabled\": true, \"loss_scale\": 64},"})
    void overlapChangesNoBit(String precision) throws Exception {
        ZeroRun overlapped = run(3, 2, precision);
        ZeroRun waiting = run(3, 2, precision + "\"zero_optimization\": {\"stage\": 0, \"overlap_comm\": false},");
        assertEquals(overlapped.weights(), waiting.weights());
        assertEquals(overlapped.losses(), waiting.losses());
    }

    /** Split masters are F32 but for ties, and signs are taken of momenta. */
    @Test
    void splitMastersAreMasters() throws Exception {
        String bf16 = "\"bf16\": {\"enabled\": true},";
        ZeroRun whole = run(2, 1, bf16);
        ZeroRun split = run(2, 1, bf16 + "\"ds\": {\"seed\": 42, \"states\": {\"master_weights\": \"split\"}}");
        assertEquals(whole.losses(), split.losses());
    }

    /** Micro-batches are summed before anything is compressed; F32 sums of 72 rows in another order. */
    @Test
    void accumulationIsOneBatch() throws Exception {
        ZeroRun one = run(2, 1, "");
        ZeroRun three = run(2, 3, "");
        for (int step = 0; step < ZeroRun.STEPS; step++) {
            assertEquals(one.losses().get(step), three.losses().get(step), 1e-5);
            assertEquals(one.norms().get(step), three.norms().get(step), 1e-5);
        }
    }

    /** On one rank the mean of norms is the norm, and nothing is compressed. */
    @Test
    void normIsTheRootOfTheMeanOfTheRanksSquares() throws Exception {
        double[] squares = new double[3];
        Map<Integer, Double> reported = new ConcurrentHashMap<>();
        ZeroConfig config = new Setup(0, 3, 1, optimizer("")).config();
        InProcessCommunicators.run(3, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator)) {
                Batch batch = TinyModel.batch(backend, 0, 24L * communicator.rank(), 24);
                for (int step = 0; step < FREEZE; step++) {
                    engine.trainBatch(i -> batch);
                }
                engine.forward(batch);
                engine.backward();
                double sum = 0;
                for (var parameter : engine.parameters()) {
                    for (float value : engine.gradient(parameter).host().toArray(ValueLayout.JAVA_FLOAT)) {
                        sum += (double) value * value;
                    }
                }
                squares[communicator.rank()] = sum;
                var first = engine.parameters().getFirst();
                try (Arena arena = Arena.ofConfined()) {
                    var target = arena.allocate(first.elements() * Float.BYTES, 4);
                    Exception e = assertThrows(IllegalStateException.class, () -> engine.readGradient(first, target));
                    assertTrue(e.getMessage().contains("OneBitAdam"), e.getMessage());
                }
                reported.put(communicator.rank(), engine.step().orElseThrow().gradientNorm());
            }
        });
        double expected = Math.sqrt((squares[0] + squares[1] + squares[2]) / 3);
        assertEquals(expected, reported.get(1), 1e-6 * expected);
        assertTrue(Math.abs(squares[0] - squares[1]) > 1e-3 * squares[0], "ranks have gradients of their own");
    }

    /** In both phases a step that overflowed on one rank leaves weights, momenta and errors of all as they were. */
    @ParameterizedTest
    @CsvSource({"1, fp16", "3, fp16", "4, bf16", "3, fp32"})
    void stepThatOverflowsLeavesNoTrace(int at, String precision) throws Exception {
        String block = precision.equals("fp16")
                ? "\"fp16\": {\"enabled\": true, \"loss_scale\": 64},"
                : precision.equals("bf16") ? "\"bf16\": {\"enabled\": true}," : "";
        List<List<Double>> losses = new ArrayList<>();
        for (boolean overflows : new boolean[] {false, true}) {
            List<Double> of = new ArrayList<>();
            losses.add(of);
            ZeroConfig config = new Setup(0, 2, 1, optimizer("") + block).config();
            InProcessCommunicators.run(2, communicator -> {
                try (ReferenceBackend backend = new ReferenceBackend();
                        ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator)) {
                    for (int step = 0; step < 8; step++) {
                        if (overflows && step == at) {
                            Batch bad = TinyModel.batch(backend, 0, 36L * communicator.rank(), 36);
                            if (communicator.rank() == 1) {
                                bad.targets()
                                        .orElseThrow()
                                        .host()
                                        .set(ValueLayout.JAVA_FLOAT, 0, Float.POSITIVE_INFINITY);
                            }
                            assertTrue(engine.trainBatch(i -> bad).skipped());
                        }
                        Batch batch = TinyModel.batch(backend, step, 36L * communicator.rank(), 36);
                        StepResult result = engine.trainBatch(i -> batch);
                        assertFalse(result.skipped());
                        if (communicator.rank() == 0) {
                            of.add(result.loss());
                        }
                    }
                }
            });
        }
        assertEquals(losses.get(0), losses.get(1));
    }

    private static final String ZERO_ONE =
            "\"optimizer\": {\"type\": \"ZeroOneAdam\", \"params\": {\"lr\": 0.01, \"var_freeze_step\": 3, \"var_update_scaler\": 2,"
                    + " \"local_step_scaler\": 1, \"local_step_clipper\": 2}},";

    /** 0/1 Adam: two refreshes, signs of gradients, and from update 4 on signs of what has been done since, at every second update. */
    @ParameterizedTest
    @ValueSource(strings = {"", "\"bf16\": {\"enabled\": true},", "\"fp16\": {\"enabled\": true, \"loss_scale\": 64},"})
    void zeroOneAdamSendsNothingButNormsBetweenExchanges(String precision) throws Exception {
        ZeroConfig config = new Setup(0, 2, 1, ZERO_ONE + precision).config();
        List<Long> collectives = new ArrayList<>();
        List<Map<String, List<Float>>> masters = new ArrayList<>();
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator)) {
                for (int step = 0; step < 6; step++) {
                    Batch batch = TinyModel.batch(backend, step, 36L * communicator.rank(), 36);
                    long before = communicator.traffic().collectives();
                    engine.trainBatch(i -> batch);
                    if (communicator.rank() == 0) {
                        collectives.add(communicator.traffic().collectives() - before);
                        masters.add(ZeroRun.weights(engine));
                    }
                }
            }
        });
        assertEquals(List.of(1 + 3L, 1 + 3L, 1 + 6L, 1 + 6L, 1L, 1 + 6L), collectives);
        assertEquals(masters.get(3), masters.get(4), "what is read is what ranks have alike");
        assertNotEquals(masters.get(4), masters.get(5));
    }

    @Test
    void nothingIsAllocatedInAStepOfEitherPhase() throws Exception {
        ZeroConfig config = new Setup(0, 2, 1, optimizer("") + "\"bf16\": {\"enabled\": true},").config();
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator)) {
                Batch batch = TinyModel.batch(backend, 0, 36L * communicator.rank(), 36);
                engine.trainBatch(i -> batch);
                engine.trainBatch(i -> batch);
                long live = backend.memory().liveBytes();
                engine.trainBatch(i -> batch);
                engine.trainBatch(i -> batch);
                assertEquals(live, backend.memory().liveBytes());
                // An error for each element, and for each of a shard: three units of 64 elements, two shards each.
                assertEquals(
                        3 * (64 + 32) * Float.BYTES,
                        backend.memory().labels().get("compressionErrors").liveBytes());
            }
        });
    }

    @Test
    void itLearns() throws Exception {
        ZeroConfig config =
                new Setup(0, 2, 1, optimizer(", \"betas\": [0.9, 0.99]").replace("_step\": 2", "_step\": 20")).config();
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator)) {
                Batch batch = TinyModel.batch(backend, 0, 36L * communicator.rank(), 36);
                double first = engine.trainBatch(i -> batch).loss();
                for (int step = 1; step < 20; step++) {
                    engine.trainBatch(i -> batch);
                }
                double warm = engine.trainBatch(i -> batch).loss();
                double last = warm;
                for (int step = 0; step < 100; step++) {
                    last = engine.trainBatch(i -> batch).loss();
                }
                assertTrue(last < 0.5 * warm && warm < first, first + ", then " + warm + ", then " + last);
            }
        });
    }
}
