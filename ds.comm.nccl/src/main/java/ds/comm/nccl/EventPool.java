package ds.comm.nccl;

import ds.comm.nccl.driver.Gpu;
import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;

/** The driver's events, used again and again: nobody closes a {@link ds.api.comm.Work}, so that one is free when its object was collected. */
final class EventPool implements AutoCloseable {
    private final Gpu gpu;
    private final ReferenceQueue<NcclWork> collected = new ReferenceQueue<>();
    private final Set<Loan> loans = new HashSet<>(); // reachable, so that they are enqueued
    private final Deque<Long> free = new ArrayDeque<>();

    /** An event whose object may be collected. */
    private static final class Loan extends PhantomReference<NcclWork> {
        private final long event;

        Loan(NcclWork work, ReferenceQueue<NcclWork> queue) {
            super(work, queue);
            this.event = work.event();
        }
    }

    EventPool(Gpu gpu) {
        this.gpu = gpu;
    }

    /** {@return an event} */
    synchronized long take() {
        for (Reference<?> loan = collected.poll(); loan != null; loan = collected.poll()) {
            loans.remove((Loan) loan);
            free.push(((Loan) loan).event);
        }
        return free.isEmpty() ? gpu.openEvent() : free.pop();
    }

    /** Takes the event back once the work is not known to anybody any more. */
    synchronized void lend(NcclWork work) {
        loans.add(new Loan(work, collected));
    }

    @Override
    public synchronized void close() {
        gpu.bind();
        loans.forEach(loan -> gpu.closeEvent(loan.event));
        free.forEach(gpu::closeEvent);
        loans.clear();
        free.clear();
    }
}
