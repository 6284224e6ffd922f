package ds.zero;

import ds.zero.checkpoint.CheckpointException;
import ds.zero.checkpoint.CheckpointFolder;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.checkpoint.Checkpointer.Content;
import ds.zero.checkpoint.Checkpointer.What;
import ds.zero.checkpoint.TrainingState;
import ds.zero.config.LossScaling;
import ds.zero.config.Precision;
import ds.zero.config.ZeroConfig;
import ds.zero.timing.PhaseEvent;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * Saves and restores what an engine trains; all ranks make the same calls, between steps. What one world size, stage and precision
 * saved, any other restores.
 *
 * {@snippet :
 * try (TrainingCheckpoints checkpoints = engine.checkpoints(settings)) {
 *     checkpoints.latest().ifPresent(path -> checkpoints.restore(path, Checkpointer.What.EVERYTHING));
 *     while (checkpoints.step() < steps) {
 *         engine.trainBatch(…);
 *         checkpoints.save(Map.of());
 *     }
 * }
 * }
 */
public final class TrainingCheckpoints implements AutoCloseable {
    private final ZeroEngine engine;
    private final ZeroConfig config;
    private final Update update;
    private final OwnedPieces pieces;
    private final Checkpointer checkpointer;
    private final Runnable watcher = this::aboutToChange;
    private long stepsBefore;
    private long samplesBefore;

    TrainingCheckpoints(
            ZeroEngine engine, ZeroConfig config, Update update, OwnedPieces pieces, Checkpointer checkpointer) {
        this.engine = engine;
        this.config = config;
        this.update = update;
        this.pieces = pieces;
        this.checkpointer = checkpointer;
        pieces.watch(watcher);
    }

    private void aboutToChange() {
        PhaseEvent event = PhaseEvent.started();
        if (checkpointer.aboutToChange()) {
            event.done(PhaseEvent.Phase.CHECKPOINT);
        }
    }

    /** {@return steps done, those before a restored checkpoint included} */
    public long step() {
        return update.steps();
    }

    /** {@return sequences used so far, over all ranks: the number of the next one in the data} */
    public long samples() {
        return samplesBefore + (update.steps() - stepsBefore) * config.batch().trainBatchSize();
    }

    /**
     * Saves under the tag of the current step.
     *
     * @param texts as of {@link #save(String, Map)}
     */
    public void save(Map<String, String> texts) {
        save(CheckpointFolder.tagOf(step()), texts);
    }

    /**
     * Saves. Asynchronously, a thread writes while training goes on: what lies in host memory as it is saved is written from there,
     * or copied when the next update comes before; the rest is copied at once. What goes wrong later is thrown by the next call.
     *
     * @param tag the checkpoint's name
     * @param texts small files beside, by name, such as {@code config.json}; rank 0's count
     * @throws CheckpointException on all ranks if it failed on one
     */
    public void save(String tag, Map<String, String> texts) {
        engine.requireBetweenSteps("save()");
        PhaseEvent event = PhaseEvent.started();
        checkpointer.save(tag, new Content(pieces.toSave(update.updates()), state(), texts));
        event.done(PhaseEvent.Phase.CHECKPOINT);
    }

    private TrainingState state() {
        return new TrainingState(
                update.steps(),
                update.updates(),
                config.runtime().seed(),
                samples(),
                config.zero().stage().number(),
                config.optimizer().type(),
                dynamicScale() ? toNumbers(update.scaling().state()) : Map.of(),
                update.optimizerNumbers());
    }

    /** A scale that does not change is the configuration's, not the checkpoint's. */
    private boolean dynamicScale() {
        return config.precision() instanceof Precision.Fp16(LossScaling.Dynamic dynamic);
    }

    private static Map<String, Double> toNumbers(LossScale.State scale) {
        return Map.of(
                "scale", scale.scale(),
                "steps", (double) scale.steps(),
                "last_overflow", (double) scale.lastOverflow(),
                "hysteresis_left", (double) scale.hysteresisLeft());
    }

    /** {@return the checkpoint of the highest step in the folder, as rank 0 sees it; all ranks call it} */
    public Optional<Path> latest() {
        return checkpointer.latest();
    }

    /**
     * Goes on where a checkpoint was saved, or begins with its weights.
     *
     * @param checkpoint its folder, in this run's folder of checkpoints or elsewhere
     * @param what with {@link What#WEIGHTS}, steps and optimizer begin anew
     * @return what the checkpoint says of its training
     * @throws CheckpointException on all ranks if it is damaged, or of another model, optimizer or seed; the engine must not be used
     *     then
     */
    public TrainingState restore(Path checkpoint, What what) {
        engine.requireBetweenSteps("restore()");
        pieces.aboutToLoad();
        TrainingState saved = checkpointer.load(checkpoint, pieces::toLoad, what);
        pieces.loaded();
        switch (what) {
            case EVERYTHING -> goOn(checkpoint, saved);
            case WEIGHTS -> {}
        }
        return saved;
    }

    private void goOn(Path checkpoint, TrainingState saved) {
        long seed = config.runtime().seed();
        if (saved.seed() != seed) {
            throw new IllegalArgumentException("ds.seed = " + seed + ": the training saved in " + checkpoint
                    + " has seed " + saved.seed() + ", from which its data and dropout follow; set ds.seed to it");
        }
        update.restore(saved.step(), saved.updates(), saved.optimizerNumbers());
        stepsBefore = saved.step();
        samplesBefore = saved.samples();
        if (dynamicScale() && !saved.lossScale().isEmpty()) {
            update.scaling().restore(scale(checkpoint, saved.lossScale()));
        }
    }

    private static LossScale.State scale(Path checkpoint, Map<String, Double> numbers) {
        if (!numbers.keySet().equals(toNumbers(new LossScale.State(1, 0, 0, 0)).keySet())) {
            throw new IllegalArgumentException(checkpoint + ": loss_scale has " + numbers.keySet()
                    + ", not what this build knows; use the version that wrote it");
        }
        return new LossScale.State(
                numbers.get("scale"),
                numbers.get("steps").longValue(),
                numbers.get("last_overflow").longValue(),
                numbers.get("hysteresis_left").longValue());
    }

    /** {@return whether the save under way has failed already, on this rank} Tell all ranks, and let all call {@link #await}. */
    public boolean hasFailed() {
        return checkpointer.hasFailed();
    }

    /**
     * Waits for the save under way.
     *
     * @throws CheckpointException on all ranks if it failed on one
     */
    public void await() {
        checkpointer.await();
    }

    /** {@return how long the last save in the background took, and training stood still for it; call {@link #await} before} */
    public Checkpointer.Timing lastSave() {
        return checkpointer.lastSave();
    }

    /** Waits for the save under way, and frees its memory. */
    @Override
    public void close() {
        try {
            checkpointer.close();
        } finally {
            pieces.unwatch(watcher);
        }
    }
}
