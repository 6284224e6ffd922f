package ds.cli;

import ds.cli.terminal.Console;
import ds.cli.terminal.Progress;
import ds.cli.train.RunSummary;
import ds.cli.train.TrainingListener;
import ds.data.Preparation;
import ds.zero.run.StepResult;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;

/** Shows a training run as it goes on. */
final class TrainingDisplay implements TrainingListener, AutoCloseable {
    private static final double MEGA = 1e6;

    private final Console console;
    private Optional<Progress> preparing = Optional.empty();
    private Optional<Progress> training = Optional.empty();
    private long resumed;
    private boolean severalRanks;

    TrainingDisplay(Console console) {
        this.console = console;
    }

    @Override
    public void preparing(Preparation.Progress progress) {
        if (preparing.isEmpty()) {
            preparing = Optional.of(Progress.start(console, "tokenise", progress.bytesTotal(), "bytes"));
        }
        preparing.get().at(progress.bytes(), progress.documents() + " documents");
    }

    @Override
    public void starting(RunSummary run) {
        preparing.ifPresent(Progress::close);
        preparing = Optional.empty();
        console.err()
                .println(String.format(
                        Locale.ROOT,
                        "model: %.2fM parameters (%d layers, %d channels, %d heads, vocabulary %d), %s",
                        run.shape().parameters() / MEGA,
                        run.shape().layers(),
                        run.shape().channels(),
                        run.shape().heads(),
                        run.shape().vocabulary(),
                        run.dtype()));
        console.err()
                .println(String.format(
                        Locale.ROOT,
                        "run:   %d steps of %d tokens on %d rank%s, ZeRO stage %d, %.0f MB on each before the first step",
                        run.steps(),
                        run.tokensPerStep(),
                        run.ranks(),
                        run.ranks() == 1 ? "" : "s",
                        run.stage(),
                        run.memoryBytes() / MEGA));
        console.err()
                .println(String.format(
                        Locale.ROOT,
                        "data:  %.2fM tokens to train on, %.2fM held out",
                        run.trainTokens() / MEGA,
                        run.validationTokens() / MEGA));
        severalRanks = run.ranks() > 1;
        training = Optional.of(Progress.start(console, new Progress.Task("train", run.steps(), "steps", resumed)));
    }

    @Override
    public void resuming(Path checkpoint, long step) {
        resumed = step;
        console.err().println("resume: after step " + step + ", from " + checkpoint);
    }

    @Override
    public void step(StepResult result, double tokensPerSecond) {
        String detail = String.format(
                Locale.ROOT,
                "loss %.3f, %.0f tokens/s, lr %.2e, norm %.2f%s%s",
                result.loss(),
                tokensPerSecond,
                result.learningRate(),
                result.gradientNorm(),
                severalRanks ? timing(result.timing()) : "",
                result.skipped() ? ", skipped" : "");
        training.orElseThrow().at(result.step(), detail);
    }

    /** Shares of the step: communication that nothing hid, and that compute hid; waits for other ranks. */
    private static String timing(StepResult.Timing timing) {
        double percent = 100.0 / timing.totalNanos();
        return String.format(
                Locale.ROOT,
                ", comm %.0f%% exposed %.0f%% hidden, idle %.0f%%",
                percent * timing.communicationNanos(),
                percent * timing.hiddenNanos(),
                percent * timing.idleNanos());
    }

    @Override
    public void evaluated(long step, double loss, double bitsPerByte) {
        training.orElseThrow()
                .note(String.format(
                        Locale.ROOT,
                        "step %d: validation loss %.4f nats per token, %.3f bits per byte",
                        step,
                        loss,
                        bitsPerByte));
    }

    @Override
    public void close() {
        preparing.ifPresent(Progress::close);
        training.ifPresent(Progress::close);
    }
}
