package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Tensor;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.api.layer.Sequential;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.Known;
import ds.zero.config.Offload;
import ds.zero.config.TensorParallel;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroStage;
import ds.zero.run.Stack;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class RehearsalTest {
    private static final Duration PATIENCE = Duration.ofSeconds(50);

    private static final ZeroConfig CONFIG =
            ZeroConfig.parse("""
                    {"train_micro_batch_size_per_gpu": 4, "gradient_accumulation_steps": 2,
                     "tensor_parallel": {"autotp_size": 2}, "bf16": {"enabled": true},
                     "zero_optimization": {"stage": 3, "offload_optimizer": {"device": "nvme", "nvme_path": "/nowhere"},
                                           "offload_param": {"device": "cpu"}}}
                    """, Known.ofWorld(4)).value();

    private final AtomicInteger forwards = new AtomicInteger();
    private final ReferenceBackend backend = new ReferenceBackend();

    /** Counts, and does something before. */
    private record Watched(Layer inner, Runnable before) implements Layer {
        @Override
        public String name() {
            return inner.name();
        }

        @Override
        public List<Parameter> parameters() {
            return inner.parameters();
        }

        @Override
        public Tensor forward(Pass pass, Tensor x, Saved saved) {
            before.run();
            return inner.forward(pass, x, saved);
        }

        @Override
        public Tensor backward(Pass pass, Tensor dy, Saved saved) {
            return inner.backward(pass, dy, saved);
        }
    }

    private Rehearsal begin(Supplier<Optional<Stack>> stacks, Runnable before) {
        Sequential model = TinyModel.build();
        Layer first = model.layers().getFirst();
        Sequential watched = model.map(layer -> layer.name().equals(first.name()) ? new Watched(layer, before) : layer);
        Rehearsal rehearsal = new Rehearsal(stacks, CONFIG, watched, device -> TinyModel.batch(device, 0, 0, 3));
        rehearsal.begin();
        return rehearsal;
    }

    private Optional<Stack> alone() {
        return Optional.of(new Stack(
                backend, InProcessCommunicators.open(1, Duration.ofSeconds(10)).getFirst()));
    }

    @Test
    void oneRankWithEverythingInMemoryRehearses() {
        ZeroConfig alone = CONFIG.onOneRank();
        assertEquals(1, alone.batch().trainBatchSize());
        assertEquals(1, alone.batch().worldSize());
        assertEquals(TensorParallel.NONE, alone.tensorParallel());
        assertEquals(ZeroStage.DISABLED, alone.zero().stage());
        assertEquals(new Offload.None(), alone.zero().offloadOptimizer());
        assertEquals(new Offload.None(), alone.zero().offloadParameters());
        assertEquals(CONFIG.precision(), alone.precision());
    }

    @Test
    void trainsAllStepsAndLeavesNothing() {
        try (Rehearsal rehearsal = begin(this::alone, forwards::incrementAndGet)) {
            rehearsal.await(PATIENCE);
            assertEquals(Rehearsal.STEPS, forwards.get());
        }
        assertEquals(0, backend.memory().liveBytes());
    }

    @Test
    void endsAfterTheStepUnderWay() throws InterruptedException {
        assertEndsAfterTheStepUnderWay(Rehearsal::close);
    }

    @Test
    void endsWhenItTakesTooLong() throws InterruptedException {
        assertEndsAfterTheStepUnderWay(rehearsal -> rehearsal.await(Duration.ofMillis(1)));
    }

    @Test
    void whoWaitsStaysInterrupted() throws InterruptedException {
        AtomicBoolean stillInterrupted = new AtomicBoolean();
        assertEndsAfterTheStepUnderWay(rehearsal -> {
            Thread.currentThread().interrupt();
            rehearsal.await(PATIENCE);
            stillInterrupted.set(Thread.currentThread().isInterrupted());
        });
        assertTrue(stillInterrupted.get());
    }

    /**
     * Lets the first step go on when whoever ends the rehearsal waits for it without a limit of time, which is after it has asked
     * for the end.
     */
    private void assertEndsAfterTheStepUnderWay(Consumer<Rehearsal> ending) throws InterruptedException {
        CountDownLatch running = new CountDownLatch(1);
        CountDownLatch asked = new CountDownLatch(1);
        Rehearsal rehearsal = begin(this::alone, () -> {
            forwards.incrementAndGet();
            running.countDown();
            awaitQuietly(asked);
        });
        running.await();
        Thread ender = Thread.ofPlatform().start(() -> ending.accept(rehearsal));
        while (ender.getState() != Thread.State.WAITING) {
            Thread.onSpinWait();
        }
        asked.countDown();
        ender.join();
        assertEquals(1, forwards.get());
        assertEquals(0, backend.memory().liveBytes());
    }

    private static void awaitQuietly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The run goes on without: with a backend that is compiled beforehand, and with one that fails. */
    @Test
    void nothingToRehearseIsNoFailure() {
        AtomicReference<Throwable> uncaught = new AtomicReference<>();
        Thread.setDefaultUncaughtExceptionHandler((thread, e) -> uncaught.set(e));
        try (Rehearsal none = begin(Optional::empty, forwards::incrementAndGet);
                Rehearsal failing = begin(
                        () -> {
                            throw new IllegalStateException("no memory for a rehearsal");
                        },
                        forwards::incrementAndGet)) {
            none.await(PATIENCE);
            failing.await(PATIENCE);
        }
        Thread.setDefaultUncaughtExceptionHandler(null);
        assertEquals(0, forwards.get());
        assertNull(uncaught.get());
    }
}
