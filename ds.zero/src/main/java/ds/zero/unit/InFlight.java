package ds.zero.unit;

import ds.api.Event;
import ds.api.Stream;
import ds.api.comm.Call;
import ds.api.comm.Work;
import ds.zero.timing.StepTimer;
import java.util.ArrayDeque;

/**
 * Collectives under way, oldest first. So many elements, and so many collectives, may travel at once; whoever adds one too many
 * waits for the oldest. Without overlap each is waited for at once.
 */
public final class InFlight {
    /** One travels while the next is filled. */
    private static final int MOST_COLLECTIVES = 2;
    /** While a large one travels before them: GPT-2's token table is as large as five of its blocks. */
    private static final int MOST_BEHIND_LARGE = 4;

    private final Units units;
    private final Stream stream;
    private final long mostElements;
    private final boolean overlap;
    private final StepTimer timer;
    private final ArrayDeque<Entry> entries = new ArrayDeque<>();
    private long elements;
    private int large;

    /**
     * How much may travel while others compute.
     *
     * @param elements at once
     * @param overlap whether anything may
     */
    public record Limits(long elements, boolean overlap) {}

    private record Entry(Work work, long elements, Runnable then) {}

    public InFlight(Units units, Stream stream, Limits limits, StepTimer timer) {
        this.units = units;
        this.stream = stream;
        this.mostElements = limits.elements();
        this.overlap = limits.overlap();
        this.timer = timer;
    }

    /** {@return who is told of waits} */
    public StepTimer timer() {
        return timer;
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
        while (!entries.isEmpty() && (!overlap || entries.size() > most() || this.elements > mostElements)) {
            awaitOldest();
        }
    }

    private int most() {
        return large > 0 ? MOST_BEHIND_LARGE : MOST_COLLECTIVES;
    }

    /** {@return whether one more may be filled while those under way travel} */
    public boolean hasRoom() {
        return entries.size() < most();
    }

    /** {@return whether a collective of so many elements may travel while others compute} */
    public boolean mayOverlap(long elements) {
        return overlap && elements <= mostElements;
    }

    /** Adds a large collective that travels while several others are computed, until {@link #awaitLarge}; it is not among the oldest. */
    public Work addLarge(Work work) {
        large++;
        return work;
    }

    /** Waits for a large one. */
    public void awaitLarge(Work work) {
        large--;
        timer.await(work, stream);
    }

    public void awaitOldest() {
        Entry oldest = entries.removeFirst();
        timer.await(oldest.work(), stream);
        elements -= oldest.elements();
        oldest.then().run();
    }

    public void awaitAll() {
        while (!entries.isEmpty()) {
            awaitOldest();
        }
    }
}
