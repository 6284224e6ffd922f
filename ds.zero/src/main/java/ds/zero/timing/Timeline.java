package ds.zero.timing;

import ds.zero.timing.PhaseEvent.Phase;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Spans of one rank, kept for a trace from when it is started; until then it keeps nothing. */
public final class Timeline {
    /** About 100 MB of memory. */
    private static final int MOST_SPANS = 1 << 20;

    private final List<Span> spans = new ArrayList<>();
    private boolean started;
    private long startNanos;
    private long dropped;

    /** On which line of its rank a span is shown. */
    enum Line {
        /** Phases, layers and waits of the thread that trains. */
        TRAINING(0),
        /** Bytes of collectives. */
        COMMUNICATION(1);

        private final int thread;

        Line(int thread) {
            this.thread = thread;
        }

        /** {@return its number in a trace} */
        int thread() {
            return thread;
        }
    }

    /**
     * A stretch of time.
     *
     * @param askedNanos of a collective: when it was called; else its start
     * @param bytes of a collective: of the whole buffer; else 0
     */
    record Span(String name, String kind, Line line, long askedNanos, long startNanos, long endNanos, long bytes) {}

    Timeline() {}

    /** Begins to keep spans. */
    public void start() {
        started = true;
        startNanos = System.nanoTime();
    }

    /** {@return whether spans are kept} */
    public boolean isStarted() {
        return started;
    }

    /** {@return spans that came when as many were kept as may be} */
    long dropped() {
        return dropped;
    }

    List<Span> spans() {
        return spans;
    }

    void phase(Phase phase, long start) {
        on(Line.TRAINING, phase.name().toLowerCase(Locale.ROOT), "phase", start, System.nanoTime());
    }

    void wait(String what, long start, long end) {
        on(Line.TRAINING, "wait: " + what, "wait", start, end);
    }

    /** A call of a layer that ends now. */
    public void layer(String name, long start) {
        on(Line.TRAINING, name, "layer", start, System.nanoTime());
    }

    private void on(Line line, String name, String kind, long start, long end) {
        add(new Span(name, kind, line, start, start, end, 0));
    }

    void collective(String name, long asked, long start, long end, long bytes) {
        add(new Span(name, "collective", Line.COMMUNICATION, asked, start, end, bytes));
    }

    private void add(Span span) {
        if (started && span.askedNanos() - startNanos < 0) {
            return; // what an earlier step has asked for
        }
        if (started && spans.size() < MOST_SPANS) {
            spans.add(span);
        } else if (started) {
            dropped++;
        }
    }
}
