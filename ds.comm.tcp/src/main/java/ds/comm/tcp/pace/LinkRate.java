package ds.comm.tcp.pace;

import java.util.concurrent.TimeUnit;

/**
 * How fast bytes of other hosts reach this rank in the operations of a group, and how fast each of several that send at once
 * should: a little more than its share. Streams that meet at a link share it evenly only after a while, if ever; the one that falls
 * behind ends alone, too slow for the link. What is asked for grows with what comes, so a link that gets faster is
 * noticed, and one that gets slower is forgotten after a few operations.
 *
 * <p>Measured is from the first piece to the last one, and not how long an operation takes: else what precedes the first would be
 * taken for a slow link, and the next asked to be slower still.
 */
public final class LinkRate {
    /** A piece of a faster stream takes less than 3 ms, too short for a timer that wakes a rank by the millisecond. */
    static final long FASTEST_STREAM = 25_000_000;

    /** Less says more about buffers than about the link. */
    private static final long LEAST_BYTES = 1 << 20;

    private static final long LEAST_NANOS = TimeUnit.MILLISECONDS.toNanos(4);

    /** What keeps a link filled while streams of the same size differ a little. */
    private static final double MORE = 1.1;
    /** While each operation is faster than the one before: it was the rate asked for that limited it. */
    private static final double MUCH_MORE = 2;

    private static final double GROWTH = 1.05;
    private static final double KEPT = 0.9;

    private double bytesPerSecond;
    private boolean growing;
    private long bytes;
    private long firstNanos;
    private long lastNanos;

    /** An operation begins. */
    public void begin() {
        bytes = -1;
    }

    /** A piece has come. */
    public void arrived(long pieceBytes, long nowNanos) {
        if (bytes < 0) { // how long the first one took is not known
            bytes = 0;
            firstNanos = nowNanos;
        } else {
            bytes += pieceBytes;
            lastNanos = nowNanos;
        }
    }

    /** The operation is done. */
    public void end() {
        if (bytes >= LEAST_BYTES && lastNanos - firstNanos >= LEAST_NANOS) {
            double rate = bytes * 1e9 / (lastNanos - firstNanos);
            growing = rate > GROWTH * bytesPerSecond;
            bytesPerSecond = Math.max(rate, KEPT * bytesPerSecond);
        }
    }

    /**
     * {@return bytes per second that each of several streams should take; 0 if as many as it can}
     *
     * @param streams of the same size that come at once
     */
    public long share(int streams) {
        double share = bytesPerSecond * (growing ? MUCH_MORE : MORE) / streams;
        return streams < 2 || share > FASTEST_STREAM ? 0 : (long) share;
    }
}
