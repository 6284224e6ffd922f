package ds.zero.offload;

import ds.zero.run.SwapTraffic;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.LongAdder;

/** Threads that wait for disks, so that those that compute need not. */
public final class SwapThreads implements AutoCloseable {
    private final Optional<ExecutorService> threads;
    private final LongAdder reads = new LongAdder();
    private final LongAdder bytesRead = new LongAdder();
    private final LongAdder writes = new LongAdder();
    private final LongAdder bytesWritten = new LongAdder();

    /**
     * Starts none before there is work.
     *
     * @param count how many requests may be under way at once
     */
    public SwapThreads(int count) {
        this(Optional.of(Executors.newFixedThreadPool(
                count, Thread.ofPlatform().daemon().name("ds-swap-", 0).factory())));
    }

    private SwapThreads(Optional<ExecutorService> threads) {
        this.threads = threads;
    }

    /** {@return threads for a dry run: files are not made, and requests are done without being carried out} */
    public static SwapThreads idle() {
        return new SwapThreads(Optional.empty());
    }

    /** {@return whether nothing is carried out} */
    public boolean isIdle() {
        return threads.isEmpty();
    }

    /** A read or a write under way. Its memory belongs to it until it is done. */
    public static final class Ticket {
        /** One that is done. */
        public static final Ticket DONE = new Ticket(CompletableFuture.completedFuture(null));

        private final CompletableFuture<Void> future;

        private Ticket(CompletableFuture<Void> future) {
            this.future = future;
        }

        /**
         * Waits until it is done.
         *
         * @throws OffloadException if it failed
         */
        public void await() {
            try {
                future.join();
            } catch (CompletionException e) {
                if (e.getCause() instanceof OffloadException cause) {
                    throw new OffloadException(cause.getMessage(), cause);
                }
                throw e;
            }
        }
    }

    /** Waits for requests whether they fail or not: before their memory is given up. */
    public static void settle(Iterable<Ticket> tickets) {
        tickets.forEach(ticket -> ticket.future.exceptionally(failure -> null).join());
    }

    /** {@return what all files of these threads have moved so far} */
    public SwapTraffic traffic() {
        return new SwapTraffic(reads.sum(), bytesRead.sum(), writes.sum(), bytesWritten.sum());
    }

    void countRead(long bytes) {
        reads.increment();
        bytesRead.add(bytes);
    }

    void countWrite(long bytes) {
        writes.increment();
        bytesWritten.add(bytes);
    }

    Ticket run(Runnable request) {
        return threads.map(pool -> new Ticket(CompletableFuture.runAsync(request, pool)))
                .orElse(Ticket.DONE);
    }

    /** Waits for what is under way. */
    @Override
    public void close() {
        threads.ifPresent(ExecutorService::close);
    }
}
