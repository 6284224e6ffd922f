package ds.comm.nccl;

import ds.cuda.CudaException;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Looks ten times a second whether NCCL reports a failure, and whether the oldest collective under way is late; then the job ends. */
final class Watchdog implements AutoCloseable {
    private static final long EVERY_MILLIS = 100;

    private final Job job;
    private final Duration timeout;
    private final Queue<NcclWork> underWay = new ConcurrentLinkedQueue<>();
    private final Thread thread;
    private volatile boolean closed;

    Watchdog(Job job, Duration timeout) {
        this.job = job;
        this.timeout = timeout;
        this.thread = Thread.ofPlatform().daemon().name("ds.comm.nccl watchdog").unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    void watch(NcclWork work) {
        underWay.add(work);
    }

    private void run() {
        try {
            while (!closed && !job.failed()) {
                Thread.sleep(EVERY_MILLIS);
                look();
            }
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        } catch (CudaException e) {
            job.awaitCause(e);
            job.fail("rank " + job.rank() + ": " + e.getMessage());
        }
    }

    private void look() {
        job.gpu().bind();
        job.checkGroups();
        for (NcclWork oldest = underWay.peek(); oldest != null && oldest.poll(); oldest = underWay.peek()) {
            underWay.remove();
        }
        NcclWork oldest = underWay.peek();
        if (oldest != null && oldest.ageNanos() > timeout.toNanos()) {
            job.fail("rank " + job.rank() + ": " + oldest.operation() + " is not done after " + timeout.toSeconds()
                    + " s: a rank has not called it, or has called another one, or the network is down; compare the ranks'"
                    + " last messages, set NCCL_DEBUG=INFO, or raise ds.communicator_options.timeout_seconds");
        }
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
