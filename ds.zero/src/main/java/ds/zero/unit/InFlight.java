package ds.zero.unit;

import ds.api.Event;
import ds.api.Stream;
import ds.api.comm.Call;
import ds.api.comm.Work;
import ds.zero.timing.PhaseEvent;
import java.util.ArrayDeque;

/**
 * Collectives under way, oldest first. So many elements, and so many collectives, may travel at once; whoever adds one too many
 * waits for the oldest. Without overlap each is waited for at once.
 */
public final class InFlight {
    /** One travels while the next is filled. */
    private static final int MOST_COLLECTIVES = 2;

    private final Units units;
    private final Stream stream;
    private final long mostElements;
    private final boolean overlap;
    private final ArrayDeque<Entry> entries = new ArrayDeque<>();
    private long elements;
    private long waitNanos;

    private record Entry(Work work, long elements, Runnable then) {}

    public InFlight(Units units, Stream stream, long mostElements, boolean overlap) {
        this.units = units;
        this.stream = stream;
        this.mostElements = mostElements;
        this.overlap = overlap;
    }

    /** {@return what to tell a collective about a unit whose operands are complete at this point of the compute stream} */
    public Call call(String what, int unit) {
        return call(what, unit, stream.record());
    }

    /** {@return what to tell a collective about a unit whose operands are complete with an event} */
    public Call call(String what, int unit, Event ready) {
        return new Call(what + " of " + units.layout(unit).name(), ready);
    }

    public void add(Work work, long elements) {
        add(work, elements, () -> {});
    }

    /** Adds a collective, and what to do on this thread once it is done. */
    public void add(Work work, long elements, Runnable then) {
        entries.addLast(new Entry(work, elements, then));
        this.elements += elements;
        while (!entries.isEmpty() && (!overlap || entries.size() > MOST_COLLECTIVES || this.elements > mostElements)) {
            awaitOldest();
        }
    }

    /** {@return whether one more may be filled while those under way travel} */
    public boolean hasRoom() {
        return entries.size() < MOST_COLLECTIVES;
    }

    public void awaitOldest() {
        Entry oldest = entries.removeFirst();
        PhaseEvent event = PhaseEvent.started();
        long start = System.nanoTime();
        oldest.work().await(stream);
        waitNanos += System.nanoTime() - start;
        event.done(PhaseEvent.Phase.COMMUNICATION);
        elements -= oldest.elements();
        oldest.then().run();
    }

    public void awaitAll() {
        while (!entries.isEmpty()) {
            awaitOldest();
        }
    }

    /** {@return how long the calling thread has waited since it last asked: communication that nothing hid} */
    public long takeWaitNanos() {
        long nanos = waitNanos;
        waitNanos = 0;
        return nanos;
    }
}
