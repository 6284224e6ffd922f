package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.comm.Communicator;
import ds.api.layer.Batch;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.run.StepResult;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EngineTest {
    private static final int ROWS = 4;

    private static ZeroConfig config(int stage, int ranks, String more) {
        return ZeroConfig.parse("""
                        {"train_micro_batch_size_per_gpu": %d, "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 0}, %s
                         "optimizer": {"type": "AdamW", "params": {"lr": 0.01}}}
                        """.formatted(ROWS, stage, more), Known.ofWorld(ranks))
                .value();
    }

    private static Batch batch(ReferenceBackend backend, Communicator communicator, long step) {
        return TinyModel.batch(backend, step, (long) ROWS * communicator.rank(), ROWS);
    }

    /** Of more elements than a thread makes at once, and than lie in memory at once. */
    @ParameterizedTest
    @ValueSource(ints = {0, 3})
    void initialValuesAreThoseOfEachElement(int stage) throws Exception {
        Parameter large = new Parameter("large", Shape.of(2_100, 2_003), new Initializer.Normal(0.5, 2));
        Sequential model = new Sequential("large", List.of(new Holder(large)));
        ZeroConfig config = config(stage, 2, "");
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(model, config, backend, communicator);
                    Arena arena = Arena.ofConfined()) {
                MemorySegment values = arena.allocate(large.elements() * Float.BYTES, 64);
                engine.read(large, values);
                long key = large.key(config.runtime().seed());
                for (long i = 0; i < large.elements(); i++) {
                    float expected = large.initializer().value(key, i);
                    if (values.getAtIndex(ValueLayout.JAVA_FLOAT, i) != expected) {
                        assertEquals(expected, values.getAtIndex(ValueLayout.JAVA_FLOAT, i), "element " + i);
                    }
                }
            }
        });
    }

    /** A layer that is never called. */
    private record Holder(Parameter parameter) implements Layer {
        @Override
        public String name() {
            return parameter.name();
        }

        @Override
        public List<Parameter> parameters() {
            return List.of(parameter);
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            throw new AssertionError("forward");
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            throw new AssertionError("backward");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void stepWithAnInfiniteGradientOnOneRankIsSkippedOnAll(int stage) throws Exception {
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), config(stage, 2, ""), backend, communicator)) {
                var before = ZeroRun.weights(engine);
                Batch batch = batch(backend, communicator, 0);
                if (communicator.rank() == 1) {
                    batch.targets().orElseThrow().host().set(ValueLayout.JAVA_FLOAT, 0, Float.POSITIVE_INFINITY);
                }
                StepResult result = engine.trainBatch(i -> batch);
                assertTrue(result.skipped());
                assertFalse(Double.isFinite(result.gradientNorm()));
                assertEquals(before, ZeroRun.weights(engine));

                StepResult next = engine.trainBatch(i -> batch(backend, communicator, 1));
                assertFalse(next.skipped());
                assertEquals(2, next.step(), "a skipped step counts as a step, but not as an update");
            }
        });
    }

    /** With an epsilon far above every gradient, Adam's first step is lr / epsilon times the gradient: as linear as SGD. */
    @Test
    void clippingScalesWhatIsAppliedAndReportsTheNormBefore() throws Exception {
        InProcessCommunicators.run(1, communicator -> {
            Applied free = apply(communicator, 0);
            double limit = free.reportedNorm / 8;
            Applied clipped = apply(communicator, limit);
            assertEquals(free.reportedNorm, clipped.reportedNorm, 0);
            assertEquals(limit / free.reportedNorm, clipped.changeNorm / free.changeNorm, 1e-3);
            Applied loose = apply(communicator, 2 * free.reportedNorm);
            assertEquals(free.changeNorm, loose.changeNorm, 0, "a norm below the limit stays");
        });
    }

    private record Applied(double reportedNorm, double changeNorm) {}

    private static Applied apply(Communicator communicator, double clipping) {
        String json = """
                {"train_batch_size": 4, "gradient_clipping": %s,
                 "optimizer": {"type": "AdamW", "params": {"lr": 100, "eps": 10000}}}
                """;
        ZeroConfig config = ZeroConfig.parse(String.format(json, clipping), Known.ofWorld(1))
                .value();
        try (ReferenceBackend backend = new ReferenceBackend();
                ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator)) {
            var before = ZeroRun.weights(engine);
            double norm =
                    engine.trainBatch(i -> batch(backend, communicator, 0)).gradientNorm();
            double squares = 0;
            for (var entry : ZeroRun.weights(engine).entrySet()) {
                for (int i = 0; i < entry.getValue().size(); i++) {
                    squares += Math.pow(
                            entry.getValue().get(i) - before.get(entry.getKey()).get(i), 2);
                }
            }
            return new Applied(norm, Math.sqrt(squares));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void whatIsWrittenIsReadAndComputedWith(int stage) throws Exception {
        InProcessCommunicators.run(3, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(
                            TinyModel.build(),
                            config(stage, 3, "\"bf16\": {\"enabled\": true},"),
                            backend,
                            communicator);
                    Arena arena = Arena.ofConfined()) {
                for (Parameter parameter : engine.parameters()) {
                    MemorySegment values = arena.allocate(parameter.elements() * Float.BYTES, 4);
                    for (long i = 0; i < parameter.elements(); i++) {
                        values.setAtIndex(ValueLayout.JAVA_FLOAT, i, 0.1f + 0.001f * i);
                    }
                    engine.write(parameter, values);
                    MemorySegment back = arena.allocate(parameter.elements() * Float.BYTES, 4);
                    engine.read(parameter, back);
                    assertEquals(-1, values.mismatch(back), parameter + " keeps all bits of F32");
                    assertEquals(DType.BF16, engine.value(parameter).dtype());
                    assertEquals(
                            0.1f,
                            Float.intBitsToFloat(engine.value(parameter).host().get(ValueLayout.JAVA_SHORT, 0) << 16),
                            0.1 / 256);
                }
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void evaluationChangesNothing(int stage) throws Exception {
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), config(stage, 2, ""), backend, communicator)) {
                var before = ZeroRun.weights(engine);
                double local = engine.evaluate(batch(backend, communicator, 0));
                double mean = engine.sumOverRanks(local) / 2;
                assertEquals(before, ZeroRun.weights(engine));
                StepResult step = engine.trainBatch(i -> batch(backend, communicator, 0));
                assertEquals(mean, step.loss(), 1e-6);
            }
        });
    }

    @ParameterizedTest
    @CsvSource({"0, fp32", "1, fp32", "2, fp32", "3, fp32", "0, bf16", "1, bf16", "2, bf16", "3, bf16"})
    void nothingIsAllocatedAfterTheFirstStep(int stage, String type) throws Exception {
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(
                            TinyModel.build(), config(stage, 2, precision(type)), backend, communicator)) {
                Batch batch = batch(backend, communicator, 0);
                engine.trainBatch(i -> batch);
                engine.trainBatch(i -> batch);
                long live = backend.memory().liveBytes();
                engine.trainBatch(i -> batch);
                assertEquals(live, backend.memory().liveBytes());
            }
        });
    }

    private static String precision(String type) {
        return type.equals("fp32") ? "" : "\"" + type + "\": {\"enabled\": true},";
    }

    /** The paper's law, in bytes a padded parameter: 2 + 2 + 12 in mixed precision, 4 + 4 + 8 in F32; sharded or not. */
    @ParameterizedTest
    @CsvSource({
        "0, bf16, 2, 2, 12", "1, bf16, 2, 2, 3", "2, bf16, 2, .5, 3", "3, bf16, .5, .5, 3",
        "0, fp16, 2, 2, 12", "1, fp16, 2, 2, 3", "2, fp16, 2, .5, 3", "3, fp16, .5, .5, 3",
        "0, fp32, 4, 4, 8", "1, fp32, 4, 4, 2", "2, fp32, 4, 1, 2", "3, fp32, 1, 1, 2"
    })
    void shardsTakeTheirShareOfMemory(int stage, String type, double weights, double gradients, double states)
            throws Exception {
        InProcessCommunicators.run(4, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(
                            TinyModel.build(), config(stage, 4, precision(type)), backend, communicator)) {
                assertEquals(147, engine.parameterElements());
                double padded = 3 * 128; // three units of four shards of 32
                assertEquals(weights * padded, liveBytes(backend, "weights"));
                assertEquals(gradients * padded, liveBytes(backend, "gradients"));
                assertEquals(
                        states * padded, liveBytes(backend, "masterWeights") + liveBytes(backend, "optimizerStates"));
            }
        });
    }

    private static double liveBytes(ReferenceBackend backend, String label) {
        var use = backend.memory().labels().get(label);
        return use == null ? 0 : use.liveBytes();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void dynamicLossScaleFallsUntilGradientsFitAndDividesWhatItMultiplied(int stage) throws Exception {
        String fp16 = "\"fp16\": {\"enabled\": true, \"initial_scale_power\": 24, \"hysteresis\": 1},";
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), config(stage, 2, fp16), backend, communicator);
                    ReferenceBackend plain = new ReferenceBackend();
                    ZeroEngine unscaled =
                            ZeroEngine.initialize(TinyModel.build(), config(stage, 2, ""), plain, communicator)) {
                Batch batch = batch(backend, communicator, 0);
                StepResult result = engine.trainBatch(i -> batch);
                int skipped = 0;
                while (result.skipped()) {
                    assertEquals(Math.scalb(1.0, 24 - skipped), result.lossScale());
                    skipped++;
                    result = engine.trainBatch(i -> batch);
                }
                assertTrue(skipped > 0, "2^24 times a gradient is more than 65504");
                Batch same = batch(plain, communicator, 0);
                double norm = unscaled.trainBatch(i -> same).gradientNorm();
                // FP16 rounds by 2^-11: ten roundings on the way through three layers.
                assertEquals(norm, result.gradientNorm(), 10 * Math.scalb(norm, -11));
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void gradientsAreKeptAndSentInTheTypesThatAreConfigured(int stage) throws Exception {
        String types = """
                "bf16": {"enabled": true}, "data_types": {"grad_accum_dtype": "fp32"}, "communication_data_type": "%s",
                """;
        InProcessCommunicators.run(2, communicator -> {
            double[] norms = new double[2];
            for (String sent : new String[] {"fp32", "bf16"}) {
                try (ReferenceBackend backend = new ReferenceBackend();
                        ZeroEngine engine = ZeroEngine.initialize(
                                TinyModel.build(), config(stage, 2, types.formatted(sent)), backend, communicator)) {
                    var before = communicator.traffic();
                    double norm = engine.trainBatch(i -> batch(backend, communicator, 0))
                            .gradientNorm();
                    norms[sent.equals("fp32") ? 0 : 1] = norm;
                    assertEquals(
                            stage < 2 ? 4 * 3 * 64 : 2 * 3 * 64,
                            liveBytes(backend, "gradients"),
                            "kept in F32, whatever travels");
                    long bytes = communicator.traffic().since(before).bytes();
                    // Half of three units of 64 travels once to its owner, at stage 0 and once back; weights in BF16.
                    long gradients = (stage == 0 ? 2 : 1) * 96L * (sent.equals("fp32") ? 4 : 2);
                    long weights = stage == 0 ? 0 : 96L * 2;
                    long control = bytes - gradients - weights;
                    assertTrue(
                            control >= 0 && control <= (stage == 3 ? 96 * 2 : 0) + 64,
                            "stage " + stage + ", " + sent + ": " + bytes);
                }
            }
            assertEquals(norms[0], norms[1], Math.scalb(norms[0], -8), "sums are rounded to BF16 once");
            assertTrue(norms[0] != norms[1], "what travels as BF16 has been rounded");
        });
    }

    @Test
    void callsOutOfOrderAreNamed() throws Exception {
        InProcessCommunicators.run(1, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), config(0, 1, ""), backend, communicator)) {
                assertThrows(IllegalStateException.class, engine::backward);
                Tensor loss = engine.forward(batch(backend, communicator, 0));
                assertEquals(Shape.of(1), loss.shape());
                assertThrows(IllegalStateException.class, engine::step);
                assertThrows(IllegalStateException.class, () -> engine.forward(batch(backend, communicator, 0)));
                engine.backward();
                assertTrue(engine.step().isPresent());
            }
        });
    }

    @Test
    void configurationOfAnotherWorldIsRejected() throws Exception {
        InProcessCommunicators.run(1, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend()) {
                Exception e = assertThrows(
                        IllegalArgumentException.class,
                        () -> ZeroEngine.initialize(TinyModel.build(), config(0, 2, ""), backend, communicator));
                assertTrue(e.getMessage().contains("2 ranks"), e.getMessage());
            }
        });
    }
}
