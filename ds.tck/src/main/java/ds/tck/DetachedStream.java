package ds.tck;

import ds.api.Event;
import ds.api.Stream;
import ds.api.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * A thread that does one thing after the other, and now and then lags behind: a kernel seldom, a copy often, so that whoever
 * does not wait for it finds old numbers.
 */
final class DetachedStream implements Stream {
    private static final int KERNELS_PER_LAG = 64;
    private static final int COPIES_PER_LAG = 4;
    private static final int MOST_LAG_NANOS = 200_000;

    private final BlockingQueue<Runnable> queue = new LinkedBlockingQueue<>();
    private final SplittableRandom random = new SplittableRandom(1);
    private final Consumer<DetachedStream> closed;
    private final Thread thread;
    private volatile RuntimeException failure;
    private volatile boolean ended;

    DetachedStream(String name, Consumer<DetachedStream> closed) {
        this.closed = closed;
        this.thread = Thread.ofPlatform().daemon().name("detached-" + name).start(this::run);
    }

    private void run() {
        while (!ended) {
            try {
                queue.take().run();
            } catch (InterruptedException e) {
                ended = true;
            } catch (RuntimeException e) { // a device reports what went wrong when it is next waited for
                failure = e;
            }
        }
    }

    /** {@return whether this stream's thread may use the memory} */
    boolean reaches(MemorySegment memory) {
        return memory.isAccessibleBy(thread);
    }

    void enqueueKernel(List<Tensor> operands, Consumer<List<Tensor>> body) {
        enqueue(operands, body, KERNELS_PER_LAG);
    }

    void enqueueCopy(List<Tensor> operands, Consumer<List<Tensor>> body) {
        enqueue(operands, body, COPIES_PER_LAG);
    }

    /** Enqueues something that gets its operands as tensors of the memory itself, in their order. */
    private void enqueue(List<Tensor> operands, Consumer<List<Tensor>> body, int perLag) {
        List<Tensor> inner = operands.stream().map(DetachedBuffer::retain).toList();
        queue.add(() -> {
            if (random.nextInt(perLag) == 0) {
                LockSupport.parkNanos(random.nextInt(MOST_LAG_NANOS));
            }
            try {
                body.accept(inner);
            } finally {
                operands.forEach(DetachedBuffer::release);
            }
        });
    }

    @Override
    public Event record() {
        CountDownLatch reached = new CountDownLatch(1);
        queue.add(reached::countDown);
        return () -> await(reached);
    }

    private void await(CountDownLatch reached) {
        try {
            while (!reached.await(1, TimeUnit.SECONDS)) {
                if (!thread.isAlive()) {
                    throw new IllegalStateException(thread.getName() + ": was closed before it was waited for");
                }
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(thread.getName() + ": interrupted while it was waited for", e);
        }
    }

    @Override
    public void await(Event event) {
        queue.add(event::synchronize);
    }

    @Override
    public void synchronize() {
        record().synchronize();
        RuntimeException failed = failure;
        if (failed != null) {
            failure = null;
            throw failed;
        }
    }

    @Override
    public void close() {
        queue.add(() -> ended = true);
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        closed.accept(this);
    }
}
