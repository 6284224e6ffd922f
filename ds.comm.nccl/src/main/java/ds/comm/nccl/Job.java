package ds.comm.nccl;

import ds.api.comm.CommunicatorException;
import ds.comm.nccl.driver.Nccl;
import ds.cuda.CudaDevice;
import ds.cuda.CudaException;
import ds.cuda.EventPool;
import java.net.Socket;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/** What all groups of one rank share: the GPU, the libraries, and the first failure, which ends all of them. */
final class Job {
    private static final int REMOTE_ERROR = 6; // ncclRemoteError
    private static final long CAUSE_NANOS = 1_000_000_000;

    private final int rank;
    private final CudaDevice gpu;
    private final Nccl nccl;
    private final EventPool events;
    private final Control control;
    private final Watchdog watchdog;
    private final Set<Long> groups = new HashSet<>(); // of NCCL, open; guarded by itself
    private final AtomicReference<String> failure = new AtomicReference<>();

    /** Takes the connections over; starts the watchdog. */
    Job(int rank, CudaDevice gpu, Nccl nccl, Map<Integer, Socket> connections, Duration timeout) {
        this.rank = rank;
        this.gpu = gpu;
        this.nccl = nccl;
        this.events = new EventPool(gpu);
        this.control = new Control(rank, connections, this::end);
        this.watchdog = new Watchdog(this, timeout);
        watchdog.start();
    }

    int rank() {
        return rank;
    }

    CudaDevice gpu() {
        return gpu;
    }

    Nccl nccl() {
        return nccl;
    }

    EventPool events() {
        return events;
    }

    Watchdog watchdog() {
        return watchdog;
    }

    /** Takes note of a group, to end it when the job fails. */
    void opened(long group) {
        synchronized (groups) {
            groups.add(group);
        }
    }

    /** {@return whether the group was open; from now on it is the caller's alone, who frees it} */
    boolean takeOver(long group) {
        synchronized (groups) {
            return groups.remove(group);
        }
    }

    /**
     * Looks whether something under way in an open group has failed.
     *
     * @throws CudaException if it has
     */
    void checkGroups() {
        synchronized (groups) { // nobody frees one meanwhile
            groups.forEach(nccl::checkAsync);
        }
    }

    /** Throws if the job has failed. */
    void check(String operation) {
        String reason = failure.get();
        if (reason != null) {
            throw new CommunicatorException("rank " + rank + ": " + operation + ": " + reason);
        }
    }

    /**
     * Gives the word of another rank's failure time to come, where NCCL knows no more than that there is one: it names the cause.
     *
     * @param e what NCCL says
     */
    void awaitCause(CudaException e) {
        long end = System.nanoTime() + CAUSE_NANOS;
        while (e.status() == REMOTE_ERROR && !failed() && System.nanoTime() < end) {
            LockSupport.parkNanos(1_000_000);
        }
    }

    boolean failed() {
        return failure.get() != null;
    }

    /** This rank cannot go on: tells all others, and ends what is under way. */
    void fail(String reason) {
        control.fail(reason);
        end(reason);
    }

    /** Ends what is under way. The first reason stays. */
    private void end(String reason) {
        if (failure.compareAndSet(null, reason)) {
            List<Long> open;
            synchronized (groups) {
                open = List.copyOf(groups);
            }
            for (long group : open) {
                if (takeOver(group)) { // aborting frees it: once only
                    gpu.bind();
                    nccl.abort(group);
                }
            }
        }
    }

    /** Leaves in good order, or gives up what a failure has left. */
    void close() {
        watchdog.close();
        control.close();
        events.close();
        gpu.close();
    }
}
