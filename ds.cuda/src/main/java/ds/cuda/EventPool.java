package ds.cuda;

import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;

/**
 * The driver's events, used again and again: nobody closes what holds one, so that it is free when its holder was collected. Whatever waits
 * for an earlier recording of an event goes on waiting for that.
 */
public final class EventPool implements AutoCloseable {
    private final CudaDevice device;
    private final ReferenceQueue<Object> collected = new ReferenceQueue<>();
    private final Set<Loan> loans = new HashSet<>(); // reachable, so that they are enqueued
    private final Deque<Long> free = new ArrayDeque<>();

    /** An event whose holder may be collected. */
    private static final class Loan extends PhantomReference<Object> {
        private final long event;

        Loan(Object holder, long event, ReferenceQueue<Object> queue) {
            super(holder, queue);
            this.event = event;
        }
    }

    /** Opens no event yet; the device is borrowed. */
    public EventPool(CudaDevice device) {
        this.device = device;
    }

    /** {@return an event behind all that is enqueued on a stream, to be lent to what holds it} */
    public synchronized long record(long stream) {
        for (Reference<?> loan = collected.poll(); loan != null; loan = collected.poll()) {
            loans.remove((Loan) loan);
            free.push(((Loan) loan).event);
        }
        long event = free.isEmpty() ? device.openEvent() : free.pop();
        device.record(event, stream);
        return event;
    }

    /** Takes the event back once its holder is not known to anybody any more. */
    public synchronized void lend(Object holder, long event) {
        loans.add(new Loan(holder, event, collected));
    }

    @Override
    public synchronized void close() {
        loans.forEach(loan -> device.closeEvent(loan.event));
        free.forEach(device::closeEvent);
        loans.clear();
        free.clear();
    }
}
