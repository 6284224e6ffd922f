package ds.comm.nccl;

import ds.api.Stream;
import ds.api.comm.Work;
import java.util.OptionalLong;

/** A collective under way: done when its event is, or when the job has failed. */
final class NcclWork implements Work {
    private final Job job;
    private final String operation;
    private final long event;
    private final long startedNanos = System.nanoTime();
    private volatile boolean done;

    NcclWork(Job job, String operation, long event) {
        this.job = job;
        this.operation = operation;
        this.event = event;
    }

    String operation() {
        return operation;
    }

    long ageNanos() {
        return System.nanoTime() - startedNanos;
    }

    /** {@return whether it is done, without waiting} */
    boolean poll() {
        done = done || job.gpu().isReached(event);
        return done;
    }

    @Override
    public void await() {
        if (!done) {
            job.check(operation);
            job.gpu().synchronizeEvent(event); // an abort ends it too
            job.check(operation);
            done = true;
        }
    }

    @Override
    public void await(Stream stream) {
        OptionalLong handle = stream.nativeHandle();
        if (handle.isEmpty()) {
            await();
        } else if (!done) {
            job.check(operation);
            job.gpu().await(handle.getAsLong(), event);
        }
    }
}
