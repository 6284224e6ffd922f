package ds.cli.terminal;

import me.tongfei.progressbar.ProgressBarConsumer;

/** The terminal line that a bar is redrawn on. Locked, since the bar's own thread draws. */
final class BarLine implements ProgressBarConsumer {
    private static final String TO_LINE_START_AND_CLEAR = "\r\u001b[K";

    private final Console console;
    private boolean closed;

    BarLine(Console console) {
        this.console = console;
    }

    @Override
    public int getMaxRenderedLength() {
        return console.columns().orElseThrow() - 1; // in the last column some terminals break the line
    }

    @Override
    public synchronized void accept(String rendered) {
        if (!closed) {
            console.err().print("\r" + rendered);
            console.err().flush();
        }
    }

    /** Prints a line in place of the bar, which is to be drawn again below it. */
    synchronized void above(String text) {
        console.err().println(TO_LINE_START_AND_CLEAR + text);
        console.err().flush();
    }

    @Override
    public synchronized void clear() {
        console.err().print(TO_LINE_START_AND_CLEAR);
        console.err().flush();
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            console.err().println();
            console.err().flush();
        }
    }
}
