package ds.tck.comm;

import ds.api.comm.Communicator;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Ranks as threads of this JVM, over any communicator. The first rank that fails aborts its group, which frees the others,
 * and its failure is the test's.
 */
public final class RankThreads {
    private static final long LIMIT_SECONDS = 120;

    private final AtomicReference<Throwable> first = new AtomicReference<>();
    private final RankOpener opener;
    private final RankBody body;

    private final CountDownLatch open;

    private RankThreads(int worldSize, RankOpener opener, RankBody body) {
        open = new CountDownLatch(worldSize);
        this.opener = opener;
        this.body = body;
    }

    /**
     * Runs {@code body} on every rank, once all have joined, and returns once all have ended.
     *
     * @throws Exception what the first failing rank has thrown
     */
    public static void run(int worldSize, RankOpener opener, RankBody body) throws Exception {
        new RankThreads(worldSize, opener, body).run(worldSize);
    }

    private void run(int worldSize) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int rank = 0; rank < worldSize; rank++) {
            int number = rank;
            threads.add(Thread.ofPlatform().daemon().name("rank " + rank).start(() -> runRank(number)));
        }
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(LIMIT_SECONDS);
        for (Thread thread : threads) {
            thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime())));
            if (thread.isAlive()) {
                first.compareAndSet(null, stuck(thread));
                threads.forEach(Thread::interrupt);
            }
        }
        switch (first.get()) {
            case null -> {}
            case Exception e -> throw e;
            case Error e -> throw e;
            case Throwable e -> throw new AssertionError(e);
        }
    }

    private void runRank(int rank) {
        try (Communicator communicator = open(rank)) {
            open.await();
            try {
                body.run(communicator);
            } catch (Throwable e) { // handed to the test's own thread; the group must end
                first.compareAndSet(null, e);
                communicator.abort("the test failed on rank " + rank + ": " + e);
            }
        } catch (Throwable e) { // handed to the test's own thread
            first.compareAndSet(null, e);
        }
    }

    private Communicator open(int rank) throws Exception {
        try {
            return opener.open(rank);
        } finally {
            open.countDown();
        }
    }

    private static AssertionError stuck(Thread thread) {
        AssertionError error = new AssertionError(thread.getName() + " has not ended after " + LIMIT_SECONDS + " s");
        error.setStackTrace(thread.getStackTrace());
        return error;
    }
}
