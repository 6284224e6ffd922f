package ds.cli.terminal;

import java.time.Duration;
import java.util.function.LongSupplier;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * How far a long task has come: a bar where messages go to a terminal, otherwise a line every few seconds and one at the end.
 * One thread at a time.
 *
 * {@snippet :
 * try (Progress progress = Progress.start(console, "train", steps, "steps")) {
 *     progress.at(step, "loss 2.317, 5120 tokens/s"); // after each step
 *     progress.note("step 100: validation loss 2.401"); // a line of its own, above the bar
 * }
 * }
 */
public abstract sealed class Progress implements AutoCloseable permits Progress.Bar, Progress.Lines {
    private static final long LINE_EVERY_NANOS = Duration.ofSeconds(5).toNanos();

    private Progress() {}

    /**
     * {@return a display that has begun; the caller closes it}
     *
     * @param task what is done, a word or two
     * @param total how many units the whole is
     * @param unit their name in plural, such as {@code "steps"}
     */
    public static Progress start(Console console, String task, long total, String unit) {
        return start(console, new Task(task, total, unit));
    }

    /** {@return a display of a task, perhaps of one that goes on; the caller closes it} */
    public static Progress start(Console console, Task task) {
        return start(console, task, System::nanoTime);
    }

    static Progress start(Console console, Task task, LongSupplier nanoTime) {
        return console.isTerminal() ? new Bar(console, task) : new Lines(console, task, nanoTime);
    }

    /**
     * What is done.
     *
     * @param name a word or two
     * @param total how many units the whole is
     * @param unit their name in plural
     * @param before how many were done earlier: what is left is estimated from those after them
     */
    public record Task(String name, long total, String unit, long before) {
        /** A task that begins. */
        public Task(String name, long total, String unit) {
            this(name, total, unit, 0);
        }
    }

    /**
     * Tells how far it is.
     *
     * @param done units done so far
     * @param detail what else to show; may be empty
     */
    public abstract void at(long done, String detail);

    /** Prints a line that stays. */
    public abstract void note(String line);

    /** Ends the display; what it shows last stays. */
    @Override
    public abstract void close();

    /** Drawn by the library's own thread a few times a second. */
    static final class Bar extends Progress {
        private final BarLine line;
        private final ProgressBar bar;

        Bar(Console console, Task task) {
            line = new BarLine(console);
            bar = new ProgressBarBuilder()
                    .setTaskName(task.name())
                    .setInitialMax(task.total())
                    .startsFrom(task.before(), Duration.ZERO)
                    .setUnit(" " + task.unit(), 1)
                    .setStyle(ProgressBarStyle.COLORFUL_UNICODE_BAR)
                    .setUpdateIntervalMillis(200)
                    .setConsumer(line)
                    .build();
        }

        @Override
        public void at(long done, String detail) {
            bar.setExtraMessage(detail.isEmpty() ? "" : " " + detail);
            bar.stepTo(done);
        }

        @Override
        public void note(String text) {
            line.above(text);
            bar.refresh();
        }

        @Override
        public void close() {
            bar.close();
        }
    }

    /** Without a terminal: lines that a log keeps. */
    static final class Lines extends Progress {
        private final Console console;
        private final Task task;
        private final LongSupplier nanoTime;
        private final long begin;
        private long printed;
        private String pending = "";

        Lines(Console console, Task task, LongSupplier nanoTime) {
            this.console = console;
            this.task = task;
            this.nanoTime = nanoTime;
            this.begin = nanoTime.getAsLong();
            this.printed = begin;
        }

        @Override
        public void at(long done, String detail) {
            long now = nanoTime.getAsLong();
            pending = text(done, now, detail);
            if (now - printed >= LINE_EVERY_NANOS) {
                print(now);
            }
        }

        private String text(long done, long now, String detail) {
            long percent = task.total() == 0 ? 100 : Math.round(100.0 * done / task.total());
            String left = "";
            if (done > task.before() && done < task.total()) {
                double secondsLeft = (now - begin) / 1e9 / (done - task.before()) * (task.total() - done);
                left = ", %d s left".formatted(Math.round(secondsLeft));
            }
            return "%s: %d/%d %s (%d%%)%s%s"
                    .formatted(
                            task.name(),
                            done,
                            task.total(),
                            task.unit(),
                            percent,
                            left,
                            detail.isEmpty() ? "" : ", " + detail);
        }

        private void print(long now) {
            if (!pending.isEmpty()) {
                console.err().println(pending);
                pending = "";
                printed = now;
            }
        }

        @Override
        public void note(String line) {
            console.err().println(line);
        }

        @Override
        public void close() {
            print(nanoTime.getAsLong());
            console.err().flush();
        }
    }
}
