package ds.comm.tcp.group;

import ds.api.comm.CommunicatorException;
import ds.api.comm.Work;
import java.util.OptionalLong;

/** Completed by the thread of the {@link Job}, awaited by any other. */
public final class TcpWork implements Work {
    private final Job job;
    private final long calledNanos = System.nanoTime();
    private long startedNanos;
    private long doneNanos;
    private boolean started;
    private boolean done;
    private String failure;

    public TcpWork(Job job) {
        this.job = job;
    }

    /** All ranks are there. */
    synchronized void start() {
        startedNanos = System.nanoTime();
        started = true;
    }

    /** {@return nanoseconds from its call until all ranks were there} */
    synchronized long queuedNanos() {
        return startedNanos - calledNanos;
    }

    public synchronized void complete() {
        doneNanos = System.nanoTime();
        done = true;
        notifyAll();
    }

    public synchronized void fail(String message) {
        if (!done) {
            failure = message;
            complete();
        }
    }

    /** Waits without a deadline: the operation has one. */
    @Override
    public void await() {
        try {
            awaitDone();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            job.abort("interrupted while it waited");
            throw new CommunicatorException("rank " + job.rank() + ": interrupted while it waited", e);
        }
    }

    @Override
    public synchronized OptionalLong startedNanos() {
        return started ? OptionalLong.of(startedNanos) : OptionalLong.empty();
    }

    @Override
    public synchronized OptionalLong doneNanos() {
        return done ? OptionalLong.of(doneNanos) : OptionalLong.empty();
    }

    private synchronized void awaitDone() throws InterruptedException {
        while (!done) {
            wait();
        }
        if (failure != null) {
            throw new CommunicatorException(failure);
        }
    }
}
