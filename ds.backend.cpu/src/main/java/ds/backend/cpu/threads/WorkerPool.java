package ds.backend.cpu.threads;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A fixed set of threads that share one kernel at a time: the thread that calls, and daemon threads beside it. Parts are dealt
 * out as threads become free, so that one slow core delays nobody; which thread computes a part must not matter for the result.
 *
 * <p>A thread that waits spins for a short time, since the next kernel usually follows within microseconds, and then parks, so
 * that another process can have its core.
 */
public final class WorkerPool implements AutoCloseable {
    private static final long SPIN_NANOS = 20_000; // parking and waking costs about as much

    /** What is done with each part. */
    public interface Body {
        /**
         * Computes one part.
         *
         * @param worker below {@link #threads}; no other thread has the same one meanwhile
         */
        void run(Part part, int worker);
    }

    private final Worker[] workers;
    private final Scratch[] scratches;
    private final ReentrantLock oneAtATime = new ReentrantLock(); // two streams may be used by two threads
    private volatile Job current = Job.NONE;
    private volatile boolean closed;

    /** Starts all threads but the one that will call. */
    public WorkerPool(int threads) {
        scratches = new Scratch[threads];
        for (int i = 0; i < threads; i++) {
            scratches[i] = new Scratch();
        }
        workers = new Worker[threads - 1];
        for (int i = 0; i < workers.length; i++) {
            workers[i] = new Worker(i + 1);
            workers[i].start();
        }
    }

    /** {@return how many threads share a kernel, the calling one included} */
    public int threads() {
        return scratches.length;
    }

    /**
     * Runs {@code body} on all of {@code [0, items)}, in parts of {@code grain} items of which the last may be shorter, and
     * returns when all are done. Not to be called from inside a body.
     *
     * @throws RuntimeException or Error: the first that a body has thrown; parts not begun by then are left out
     */
    public void run(long items, long grain, Body body) {
        oneAtATime.lock();
        try {
            if (closed) {
                throw new IllegalStateException("kernel of " + items + " items after the backend was closed");
            }
            if (workers.length == 0 || items <= grain) {
                runHere(items, grain, body);
            } else {
                share(new Job(items, grain, body));
            }
        } finally {
            oneAtATime.unlock();
        }
    }

    /** {@return whether all threads may touch this memory} */
    public boolean reaches(MemorySegment memory) {
        for (Worker worker : workers) {
            if (!memory.isAccessibleBy(worker)) {
                return false;
            }
        }
        return true;
    }

    private void runHere(long items, long grain, Body body) {
        for (long first = 0; first < items; first += grain) {
            body.run(new Part(first, Math.min(items, first + grain), scratches[0]), 0);
        }
    }

    private void share(Job job) {
        current = job;
        for (Worker worker : workers) {
            worker.wake();
        }
        job.work(scratches[0], 0);
        job.awaitEnd();
        job.rethrow();
    }

    @Override
    public void close() {
        oneAtATime.lock(); // lets a kernel end first
        try {
            closed = true;
        } finally {
            oneAtATime.unlock();
        }
        for (Worker worker : workers) {
            LockSupport.unpark(worker);
        }
    }

    /** One call of {@link #run}. A thread that comes too late finds no part left and touches nothing. */
    private static final class Job {
        private static final VarHandle NEXT;
        private static final VarHandle DONE;

        static {
            try {
                NEXT = MethodHandles.lookup().findVarHandle(Job.class, "next", long.class);
                DONE = MethodHandles.lookup().findVarHandle(Job.class, "done", long.class);
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        static final Job NONE = new Job(0, 1, (part, worker) -> {});

        private final long items;
        private final long grain;
        private final long parts;
        private final Body body;
        private final Thread caller = Thread.currentThread();

        @SuppressWarnings("unused") // through NEXT
        private volatile long next;

        @SuppressWarnings("unused") // through DONE
        private volatile long done;

        private volatile Throwable failure;

        Job(long items, long grain, Body body) {
            this.items = items;
            this.grain = grain;
            this.parts = Math.ceilDiv(items, grain);
            this.body = body;
        }

        void work(Scratch scratch, int worker) {
            long part = (long) NEXT.getAndAdd(this, 1L);
            while (part < parts) {
                compute(new Part(part * grain, Math.min(items, (part + 1) * grain), scratch), worker);
                if ((long) DONE.getAndAdd(this, 1L) + 1 == parts && Thread.currentThread() != caller) {
                    LockSupport.unpark(caller);
                }
                part = (long) NEXT.getAndAdd(this, 1L);
            }
        }

        private void compute(Part part, int worker) {
            if (failure != null) {
                return;
            }
            try {
                body.run(part, worker);
            } catch (Throwable e) { // thrown again by rethrow() in the thread that called
                failure = e;
            }
        }

        void awaitEnd() {
            long deadline = System.nanoTime() + SPIN_NANOS;
            while (done < parts) {
                if (System.nanoTime() < deadline) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.park(this);
                }
            }
        }

        void rethrow() {
            switch (failure) {
                case null -> {}
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case Throwable e -> throw new IllegalStateException(e);
            }
        }
    }

    private final class Worker extends Thread {
        private final int index;
        private volatile boolean parked;

        Worker(int index) {
            super("ds-cpu-" + index);
            this.index = index;
            setDaemon(true);
        }

        void wake() {
            if (parked) {
                LockSupport.unpark(this);
            }
        }

        @Override
        public void run() {
            Job last = Job.NONE;
            while (!closed) {
                awaitOther(last);
                last = current;
                last.work(scratches[index], index);
            }
        }

        private void awaitOther(Job last) {
            long deadline = System.nanoTime() + SPIN_NANOS;
            while (current == last && !closed) {
                if (System.nanoTime() < deadline) {
                    Thread.onSpinWait();
                } else {
                    parked = true;
                    if (current == last && !closed) {
                        LockSupport.park(WorkerPool.this);
                    }
                    parked = false;
                }
            }
        }
    }
}
