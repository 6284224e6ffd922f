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
import ds.api.layer.Parameter;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EngineTest {
    private static final int ROWS = 4;

    private static ZeroConfig config(int stage, int ranks, String more) {
        return ZeroConfig.parse("""
                        {"train_micro_batch_size_per_gpu": %d, "zero_optimization": {"stage": %d}, %s
                         "optimizer": {"type": "AdamW", "params": {"lr": 0.01}}}
                        """.formatted(ROWS, stage, more), Known.ofWorld(ranks))
                .value();
    }

    private static Batch batch(ReferenceBackend backend, Communicator communicator, long step) {
        return TinyModel.batch(backend, step, (long) ROWS * communicator.rank(), ROWS);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
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
    @ValueSource(ints = {0, 1, 2})
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

    @Test
    void evaluationChangesNothing() throws Exception {
        InProcessCommunicators.run(2, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), config(2, 2, ""), backend, communicator)) {
                var before = ZeroRun.weights(engine);
                double local = engine.evaluate(batch(backend, communicator, 0));
                double mean = engine.sumOverRanks(local) / 2;
                assertEquals(before, ZeroRun.weights(engine));
                StepResult step = engine.trainBatch(i -> batch(backend, communicator, 0));
                assertEquals(mean, step.loss(), 1e-6);
            }
        });
    }

    @Test
    void nothingIsAllocatedAfterTheFirstStep() throws Exception {
        for (int stage = 0; stage <= 2; stage++) {
            int s = stage;
            InProcessCommunicators.run(2, communicator -> {
                try (ReferenceBackend backend = new ReferenceBackend();
                        ZeroEngine engine =
                                ZeroEngine.initialize(TinyModel.build(), config(s, 2, ""), backend, communicator)) {
                    Batch batch = batch(backend, communicator, 0);
                    engine.trainBatch(i -> batch);
                    engine.trainBatch(i -> batch);
                    var live = liveBytes(backend);
                    engine.trainBatch(i -> batch);
                    assertEquals(live, liveBytes(backend), "stage " + s);
                }
            });
        }
    }

    private static Optional<Long> liveBytes(ReferenceBackend backend) {
        return Optional.of(backend.memory().liveBytes());
    }

    @Test
    void shardsTakeTheirShareOfMemory() throws Exception {
        InProcessCommunicators.run(4, communicator -> {
            long[] gradients = new long[3];
            long[] states = new long[3];
            for (int stage = 0; stage <= 2; stage++) {
                try (ReferenceBackend backend = new ReferenceBackend();
                        ZeroEngine engine =
                                ZeroEngine.initialize(TinyModel.build(), config(stage, 4, ""), backend, communicator)) {
                    assertEquals(147, engine.parameterElements());
                    gradients[stage] =
                            backend.memory().labels().get("gradients").liveBytes();
                    states[stage] =
                            backend.memory().labels().get("optimizerStates").liveBytes();
                }
            }
            assertEquals(states[0], 4 * states[1]);
            assertEquals(states[0], 4 * states[2]);
            assertEquals(gradients[0], gradients[1]);
            assertEquals(gradients[0], 4 * gradients[2]);
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
