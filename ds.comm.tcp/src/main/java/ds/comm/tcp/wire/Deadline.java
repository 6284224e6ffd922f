package ds.comm.tcp.wire;

import java.net.SocketTimeoutException;
import java.time.Duration;

/**
 * A point in time after which waiting ends.
 *
 * @param nanos as {@link System#nanoTime} counts
 */
public record Deadline(long nanos) {
    /** {@return the point in time that is so far away} */
    public static Deadline in(Duration duration) {
        return new Deadline(System.nanoTime() + duration.toNanos());
    }

    /** {@return what remains; not positive afterwards} */
    public long remainingNanos() {
        return nanos - System.nanoTime();
    }

    /** {@return what remains, at least 1: 0 would mean for ever to a socket} */
    public int remainingMillis() throws SocketTimeoutException {
        long millis = remainingNanos() / 1_000_000;
        if (millis <= 0) {
            throw new SocketTimeoutException("no answer in time");
        }
        return (int) Math.min(Integer.MAX_VALUE, millis);
    }
}
