package ds.bench.breakdown;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.ZeroEngine;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** A step that is watched does what it does unwatched, and all of its work is counted. */
class TimedKernelsTest {
    private static final GptConfig SHAPE = GptConfig.of(300, 64, 3, 48, 4);
    private static final int B = 4;
    private static final int T = 64;

    /** What is not overridden would be composed of other kernels, and counted as these. */
    @Test
    void everyKernelIsTimed() {
        Set<String> missing = new TreeSet<>();
        for (Method method : Kernels.class.getMethods()) {
            if (!Modifier.isStatic(method.getModifiers()) && !declares(method)) {
                missing.add(method.toString());
            }
        }
        assertEquals(Set.of(), missing);
    }

    private static boolean declares(Method method) {
        return Stream.of(TimedKernels.class.getDeclaredMethods())
                .anyMatch(own -> own.getName().equals(method.getName())
                        && List.of(own.getParameterTypes()).equals(List.of(method.getParameterTypes())));
    }

    private record Run(List<Double> losses, KernelTimes times) {}

    private static Run train(boolean watched) throws Exception {
        AtomicReference<Run> run = new AtomicReference<>();
        ZeroConfig config = ZeroConfig.parse("{\"train_micro_batch_size_per_gpu\": " + B + "}", Known.ofWorld(1))
                .value();
        InProcessCommunicators.run(1, communicator -> {
            KernelTimes times = new KernelTimes();
            try (TensorBackend backend = Providers.backends().get("cpu").open(0, ProviderOptions.none("ds.backend"));
                    TensorBackend timed = new TimedBackend(backend, times);
                    ZeroEngine engine = ZeroEngine.initialize(
                            new Gpt(SHAPE).layers(), config, watched ? timed : backend, communicator)) {
                Batch batch = batch(backend);
                List<Double> losses = new ArrayList<>();
                for (int step = 0; step < 3; step++) {
                    times.beginStep();
                    engine.forward(batch);
                    times.begin(Phase.BACKWARD);
                    engine.backward();
                    times.begin(Phase.UPDATE);
                    losses.add(engine.step().orElseThrow().loss());
                    times.endStep(0);
                }
                run.set(new Run(losses, times));
            }
        });
        return run.get();
    }

    private static Batch batch(TensorBackend backend) {
        Tensor inputs = backend.allocate(DType.I32, Shape.of(B, T), "batch");
        Tensor targets = backend.allocate(DType.I32, Shape.of(B, T), "batch");
        for (int i = 0; i < B * T; i++) {
            inputs.host().setAtIndex(ValueLayout.JAVA_INT, i, 31 * i % 300);
            targets.host().setAtIndex(ValueLayout.JAVA_INT, i, 31 * (i + 1) % 300);
        }
        return Batch.of(inputs, targets, 0);
    }

    @Test
    void lossesAreTheSameBits() throws Exception {
        assertEquals(train(false).losses(), train(true).losses());
    }

    /** Products: 6 FLOPs for each weight of a matrix and each token; attention: seven products over the pairs that are seen. */
    @Test
    void theWorkOfAStepIsThatOfTheFormula() throws Exception {
        KernelTimes times = train(true).times();
        double matrices = 12.0 * SHAPE.layers() * SHAPE.channels() * SHAPE.channels() + 300.0 * SHAPE.channels();
        double attention = 7 * 2.0 * SHAPE.layers() * SHAPE.channels() * B * T * (T + 1) / 2;
        for (KernelTimes.Step step : times.steps()) {
            double flops = sum(step, KernelCall::flops);
            assertEquals(6 * matrices * B * T + attention, flops, 1e-9 * flops);
            Map<Phase, Double> phases = step.phaseSeconds();
            assertEquals(Set.of(Phase.values()), phases.keySet());
            double inKernels = step.kernels().values().stream()
                    .mapToDouble(KernelTimes.Sums::seconds)
                    .sum();
            assertTrue(inKernels > 0 && inKernels <= step.seconds(), inKernels + " s in a step of " + step.seconds());
        }
    }

    /** Adam reads a gradient, and updates a weight and two moments. */
    @Test
    void adamMovesEveryParameterOnce() throws Exception {
        double parameters = SHAPE.parameters();
        for (KernelTimes.Step step : train(true).times().steps()) {
            Moved moved = step.kernels().entrySet().stream()
                    .filter(entry -> entry.getKey().kernel().equals("adam"))
                    .map(entry -> entry.getValue().total().moved())
                    .reduce(Moved.NOTHING, Moved::plus);
            assertEquals(4 * parameters, moved.read(), 0.01 * parameters, "padding is less than 1 %");
            assertEquals(24 * parameters, moved.updated(), 0.06 * parameters);
            assertEquals(0, moved.written());
        }
    }

    private static double sum(KernelTimes.Step step, ToDoubleFunction<KernelCall> amount) {
        return step.kernels().values().stream()
                .mapToDouble(sums -> amount.applyAsDouble(sums.total()))
                .sum();
    }

    @Test
    void otherThreadsAndOtherTimesDoNotCount() throws InterruptedException {
        KernelTimes times = new KernelTimes();
        KernelCall call = new KernelCall("copy", "F32[n]", DType.F32, Optional.empty(), 0, 0, Moved.NOTHING);
        times.add(call, 1);
        times.beginStep();
        times.add(call, 10);
        Thread other = Thread.ofPlatform().start(() -> times.add(call, 100));
        other.join();
        times.endStep(0);
        times.add(call, 1000);
        KernelTimes.Sums sums =
                times.steps().getFirst().kernels().get(new KernelTimes.Key(Phase.FORWARD, "copy", "F32[n]"));
        assertEquals(1, sums.calls());
        assertEquals(10e-9, sums.seconds(), 1e-15);
    }

    @Test
    void aBreakdownOfNothingIsRefused() {
        IllegalArgumentException e =
                assertThrows(IllegalArgumentException.class, () -> Breakdown.of(new KernelTimes(), null, 1));
        assertTrue(e.getMessage().contains("0 steps"), e.getMessage());
    }
}
