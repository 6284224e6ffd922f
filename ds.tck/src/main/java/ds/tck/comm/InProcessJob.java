package ds.tck.comm;

import ds.api.comm.CommunicatorException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** What all groups of one world share: the lock over their state, and the failure that ends them all. */
final class InProcessJob {
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Duration timeout;
    private Optional<String> failure = Optional.empty();

    InProcessJob(Duration timeout) {
        this.timeout = timeout;
    }

    /** {@return what {@code action} gives under the lock; waiting ranks look again afterwards} */
    <T> T locked(Supplier<T> action) {
        lock.lock();
        try {
            T result = action.get();
            changed.signalAll();
            return result;
        } finally {
            lock.unlock();
        }
    }

    /** Ends everything; the first cause stays. */
    void fail(String cause) {
        locked(() -> failure = failure.or(() -> Optional.of(cause)));
    }

    boolean failed() {
        return locked(failure::isPresent);
    }

    /** Throws if the job has ended. */
    void check(String who) {
        failure.ifPresent(cause -> {
            throw new CommunicatorException(who + ": " + cause);
        });
    }

    /**
     * Waits until {@code done}.
     *
     * @param late says who has not arrived, once the deadline has passed
     */
    void await(String who, BooleanSupplier done, Supplier<String> late) {
        lock.lock();
        try {
            long remaining = timeout.toNanos();
            while (!done.getAsBoolean()) {
                check(who);
                if (remaining <= 0) {
                    fail("no progress for " + TimeUnit.NANOSECONDS.toMillis(timeout.toNanos()) + " ms: " + late.get());
                } else {
                    remaining = changed.awaitNanos(remaining);
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            fail(who + " was interrupted while it waited");
            throw new CommunicatorException(who + ": interrupted while it waited", e);
        } finally {
            lock.unlock();
        }
    }
}
