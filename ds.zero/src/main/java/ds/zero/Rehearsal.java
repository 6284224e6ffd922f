package ds.zero;

import ds.api.TensorBackend;
import ds.api.comm.Rendezvous;
import ds.api.layer.Batch;
import ds.api.layer.Sequential;
import ds.api.spi.Providers;
import ds.zero.config.RuntimeConfig;
import ds.zero.config.TensorParallel;
import ds.zero.config.ZeroConfig;
import ds.zero.run.Stack;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Trains a small model while a run prepares, on one thread and in memory of its own, and throws it away: so that the Java machine
 * has compiled what steps run before the first one that counts. That one would take several times as long as those after it, most
 * of it in loops that are not compiled yet. The run's results do not depend on it; a recording of Flight Recorder has its steps
 * too, on the thread {@value #THREAD}.
 *
 * {@snippet :
 * try (var rehearsal = Rehearsal.start(config, smallModel, backend -> smallBatch)) {
 *     // open the communicator, initialise or load the weights
 *     rehearsal.await(Duration.ofSeconds(5));
 * }
 * }
 */
public final class Rehearsal implements AutoCloseable {
    /** After as many a step of a small GPT takes a hundredth of the first (ds.bench/notes/cpu.md). */
    static final int STEPS = 60;

    private static final String THREAD = "ds-rehearsal";

    private static final System.Logger LOG = System.getLogger(Rehearsal.class.getName());

    private final Supplier<Optional<Stack>> stacks;
    private final ZeroConfig config;
    private final Sequential model;
    private final Function<TensorBackend, Batch> batches;
    private final Thread thread = new Thread(this::run, THREAD);
    private volatile boolean stopped;

    /**
     * Describes one that has not begun.
     *
     * @param stacks opens one rank that meets no other; empty if there is nothing to rehearse
     */
    Rehearsal(
            Supplier<Optional<Stack>> stacks,
            ZeroConfig config,
            Sequential model,
            Function<TensorBackend, Batch> batches) {
        this.stacks = stacks;
        this.config = config.onOneRank();
        this.model = model;
        this.batches = batches;
        thread.setDaemon(true);
    }

    /**
     * Begins, and returns at once. Where the backend that a configuration names is compiled beforehand, there is nothing to do.
     *
     * @param config of the run; one rank rehearses it, at stage 0 and with nothing offloaded
     * @param model a small one with the layers of the run's
     * @param batches allocates a micro-batch of it; its contents are not looked at, and may be zeros
     * @return handed over
     */
    public static Rehearsal start(ZeroConfig config, Sequential model, Function<TensorBackend, Batch> batches) {
        Rehearsal rehearsal = new Rehearsal(() -> open(config.runtime()), config, model, batches);
        rehearsal.begin();
        return rehearsal;
    }

    private static Optional<Stack> open(RuntimeConfig config) {
        var communicators = Providers.communicators().get(config.communicator());
        return Providers.backends()
                .get(config.backend())
                .openForRehearsal()
                .map(backend -> Stack.join(backend, communicators, config, Rendezvous.alone()));
    }

    void begin() {
        thread.start();
    }

    private void run() {
        try {
            stacks.get().ifPresent(this::train);
        } catch (RuntimeException
                | Error e) { // the run can do without; what fails there for the same reason is told there
            LOG.log(Level.WARNING, "the first step will take longer, since its rehearsal has failed", e);
        }
    }

    private void train(Stack opened) {
        try (Stack stack = opened;
                Mesh mesh = Mesh.of(stack, TensorParallel.NONE);
                ZeroEngine engine = ZeroEngine.initialize(model, config, mesh)) {
            long start = System.nanoTime();
            Batch batch = batches.apply(stack.backend());
            int step = 0;
            for (; step < STEPS && !stopped; step++) {
                engine.trainBatch(micro -> batch);
            }
            LOG.log(Level.DEBUG, "rehearsed {0} steps in {1} ms", step, (System.nanoTime() - start) / 1_000_000);
        }
    }

    /**
     * Waits for its end. A thread that is interrupted meanwhile stays so.
     *
     * @param most after so long, or when the thread is interrupted, it ends with the step under way
     */
    public void await(Duration most) {
        boolean interrupted = false;
        try {
            if (!thread.join(most)) {
                stopped = true;
            }
        } catch (InterruptedException e) {
            interrupted = true;
            stopped = true;
        }
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends it after the step under way. */
    @Override
    public void close() {
        stopped = true;
        await(Duration.ZERO);
    }
}
