package ds.cli.train;

import ds.models.gpt.GptConfig;
import ds.models.gpt.HuggingFace;
import ds.zero.TrainingCheckpoints;
import ds.zero.ZeroEngine;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.checkpoint.Checkpointer.OnFailure;
import ds.zero.checkpoint.Checkpointer.What;
import ds.zero.config.json.Block;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The checkpoints of a run: where it goes on, and when it saves. All ranks make the same calls. */
final class RunCheckpoints implements AutoCloseable {
    /** The configuration as it was resolved. */
    private static final String CONFIG = "config.json";

    /** The shape of the model, as Hugging Face's {@code config.json} has it. */
    private static final String MODEL = "model.json";

    private final Settings settings;
    private final Map<String, String> texts;
    private final Optional<TrainingCheckpoints> checkpoints;
    private long stepsWithout;
    private long lastSaved = -1;

    /**
     * {@code ds.checkpoint}.
     *
     * @param every how many steps lie between checkpoints; 0 for none at all
     * @param keepLast how many are kept
     * @param asynchronous whether training goes on while files are written; by default unless optimizer states are offloaded to
     *     files, since it needs them in memory
     * @param onFailure what a failed save does to the run
     * @param folder of the checkpoints; empty for one inside the run folder
     */
    record Settings(long every, int keepLast, boolean asynchronous, OnFailure onFailure, Optional<Path> folder) {
        static Settings read(Block ds, long steps, boolean statesInFiles) {
            Block block = ds.block("checkpoint");
            String onFailure = block.oneOf("on_failure", "fail", List.of("fail", "warn"));
            return new Settings(
                    block.integer("every", Math.max(1, steps / 10), 0, Long.MAX_VALUE),
                    (int) block.integer("keep_last", 2, 1, Integer.MAX_VALUE),
                    block.flag("asynchronous", !statesInFiles),
                    onFailure.equals("warn") ? OnFailure.WARN : OnFailure.FAIL,
                    block.optionalText("folder").map(Path::of));
        }

        /** {@return where a run keeps them} */
        Path folder(RunFolder run) {
            return folder.orElse(run.checkpoints());
        }
    }

    /** Begins; the engine is borrowed. */
    RunCheckpoints(Settings settings, RunFolder run, ZeroEngine engine, GptConfig shape) {
        this.settings = settings;
        this.texts = engine.rank() == 0 && settings.every() > 0
                ? Map.of(CONFIG, read(run.resolved()), MODEL, HuggingFace.configText(shape))
                : Map.of();
        this.checkpoints = settings.every() == 0
                ? Optional.empty()
                : Optional.of(engine.checkpoints(new Checkpointer.Settings(
                        settings.folder(run), settings.keepLast(), settings.asynchronous(), settings.onFailure())));
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be read", e);
        }
    }

    /** {@return the checkpoint with which this run goes on, which is restored now} */
    Optional<Path> resume() {
        Optional<Path> latest = checkpoints.flatMap(TrainingCheckpoints::latest);
        latest.ifPresent(path -> checkpoints.orElseThrow().restore(path, What.EVERYTHING));
        lastSaved = step();
        return latest;
    }

    /** {@return steps done} */
    long step() {
        return checkpoints.map(TrainingCheckpoints::step).orElse(stepsWithout);
    }

    /**
     * {@return the number of the next step in the data, counted in batches of this run}
     *
     * @throws IllegalArgumentException if the data used so far is no whole number of them
     */
    long nextBatch(long trainBatchSize) {
        long samples = checkpoints.map(TrainingCheckpoints::samples).orElse(stepsWithout * trainBatchSize);
        if (samples % trainBatchSize != 0) {
            throw new IllegalArgumentException(
                    "train_batch_size = " + trainBatchSize + ": the run to go on with has used " + samples
                            + " sequences, which is no multiple of it; use a divisor of " + samples);
        }
        return samples / trainBatchSize;
    }

    /**
     * Ends a step; saves if it is time.
     *
     * @param last whether no step follows
     */
    void stepDone(boolean last) {
        stepsWithout++;
        if (checkpoints.isPresent() && (last || step() % settings.every() == 0)) {
            save();
        }
    }

    /** Saves unless the step is saved already. */
    private void save() {
        if (lastSaved != step()) {
            checkpoints.orElseThrow().save(texts);
            lastSaved = step();
        }
    }

    /** {@return whether a save has failed, as far as this rank knows} All ranks have to be told, and then to call {@link #await}. */
    boolean hasFailed() {
        return checkpoints.map(TrainingCheckpoints::hasFailed).orElse(false);
    }

    /** Waits for the save under way, whose failure ends the run if it is configured so. */
    void await() {
        checkpoints.ifPresent(TrainingCheckpoints::await);
    }

    /** {@return whether stopping loses nothing} */
    boolean areKept() {
        return checkpoints.isPresent();
    }

    @Override
    public void close() {
        checkpoints.ifPresent(TrainingCheckpoints::close);
    }
}
