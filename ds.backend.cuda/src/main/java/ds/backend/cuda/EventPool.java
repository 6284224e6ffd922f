package ds.backend.cuda;

import ds.backend.cuda.driver.CudaDevice;
import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;

/**
 * The driver's events, used again and again: {@link ds.api.Event} is not closed by anybody, so that one is free when its object was
 * collected. Whatever waits for an earlier recording of an event goes on waiting for that.
 */
final class EventPool implements AutoCloseable {
    private final CudaDevice device;
    private final ReferenceQueue<CudaEvent> collected = new ReferenceQueue<>();
    private final Set<Loan> loans = new HashSet<>(); // reachable, so that they are enqueued
    private final Deque<Long> free = new ArrayDeque<>();

    /** An event whose object may be collected. */
    private static final class Loan extends PhantomReference<CudaEvent> {
        private final long handle;

        Loan(CudaEvent event, ReferenceQueue<CudaEvent> queue) {
            super(event, queue);
            this.handle = event.handle();
        }
    }

    EventPool(CudaDevice device) {
        this.device = device;
    }

    CudaDevice device() {
        return device;
    }

    /** {@return an event behind all that is enqueued on a stream} */
    synchronized CudaEvent record(long stream) {
        for (Reference<?> loan = collected.poll(); loan != null; loan = collected.poll()) {
            loans.remove((Loan) loan);
            free.push(((Loan) loan).handle);
        }
        CudaEvent event = new CudaEvent(this, free.isEmpty() ? device.openEvent() : free.pop());
        loans.add(new Loan(event, collected));
        device.record(event.handle(), stream);
        return event;
    }

    @Override
    public synchronized void close() {
        loans.forEach(loan -> device.closeEvent(loan.handle));
        free.forEach(device::closeEvent);
        loans.clear();
        free.clear();
    }
}
