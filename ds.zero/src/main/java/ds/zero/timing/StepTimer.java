package ds.zero.timing;

import ds.api.Stream;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import ds.zero.run.StepResult;
import ds.zero.timing.PhaseEvent.Phase;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Adds up where the time of a step goes: phases on the thread that trains, waits within them, and the collectives meanwhile. What it
 * sees it tells to Flight Recorder and to a timeline, where these are wanted.
 */
public final class StepTimer {
    private final Collectives collectives;
    private final Timeline timeline = new Timeline();
    private final Intervals waits = new Intervals();
    private final Map<Phase, Long> computed = new EnumMap<>(Phase.class);
    private boolean underWay;
    private long stepStart;
    private long phasesNanos;
    private long waitedInPhase;

    /** Starts at zero. */
    public StepTimer() {
        this(new Collectives());
    }

    StepTimer(Collectives collectives) {
        this.collectives = collectives;
    }

    /** {@return a communicator whose collectives are counted; the one given is borrowed} */
    public Communicator observe(Communicator communicator) {
        return new ObservedCommunicator(communicator, collectives);
    }

    /** {@return what is kept for a trace; nothing until it is started} */
    public Timeline timeline() {
        return timeline;
    }

    /** Runs a phase of a step. */
    public <T> T phase(Phase phase, Supplier<T> body) {
        PhaseEvent event = PhaseEvent.started();
        long start = System.nanoTime();
        if (!underWay) {
            underWay = true;
            stepStart = start;
        }
        waitedInPhase = 0;
        T result = body.get();
        long nanos = System.nanoTime() - start;
        phasesNanos += nanos;
        computed.merge(phase, nanos - waitedInPhase, Long::sum);
        event.done(phase);
        timeline.phase(phase, start);
        return result;
    }

    /** Waits for a collective, or has the stream wait. */
    public void await(Work work, Stream stream) {
        waiting(work instanceof Collectives.Asked asked ? asked.name() : "communication", () -> work.await(stream));
    }

    /**
     * Waits for something else that others bring, such as a file that is to be sent on.
     *
     * @param what for timelines
     */
    public void waiting(String what, Runnable wait) {
        PhaseEvent event = PhaseEvent.started();
        long start = System.nanoTime();
        wait.run();
        long end = System.nanoTime();
        event.done(Phase.COMMUNICATION);
        waitedInPhase += end - start;
        if (underWay) {
            waits.add(start, end);
        }
        timeline.wait(what, start, end);
    }

    /** Tells the timeline of what is done, outside of steps. */
    public void flush() {
        long now = System.nanoTime();
        collectives.moving(now, now, timeline);
    }

    /** {@return the times of the step that ends; the next one starts at zero} */
    public StepResult.Timing stepDone() {
        long end = System.nanoTime();
        Intervals moving = collectives.moving(stepStart, end, timeline);
        long waited = waits.total();
        long exposed = collectives.timed() ? waits.common(moving) : waited;
        StepResult.Timing timing = new StepResult.Timing(
                computed.getOrDefault(Phase.FORWARD, 0L),
                computed.getOrDefault(Phase.BACKWARD, 0L),
                exposed,
                computed.getOrDefault(Phase.UPDATE, 0L),
                Math.max(0, moving.total() - exposed),
                waited - exposed + Math.max(0, end - stepStart - phasesNanos));
        underWay = false;
        phasesNanos = 0;
        waits.clear();
        computed.clear();
        return timing;
    }
}
