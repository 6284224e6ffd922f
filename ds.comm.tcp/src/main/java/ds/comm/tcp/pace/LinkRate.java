package ds.comm.tcp.pace;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * What the link of this rank carries: the most that has lately come from other hosts within a window of time. And how fast several
 * streams that meet there should come together: a little faster. Streams level out by themselves only after a while, if ever; the one
 * that falls behind ends alone, too slow for the link.
 *
 * <p>What comes is what the system has received, not what this rank has read: else a thread that is late would find more than
 * the link carries. The most is forgotten slowly, since ranks that are late look like a slow link, and to ask for too little
 * slows an operation, while to ask for too much is to ask for nothing.
 */
public final class LinkRate {
    /** A switch or a shaper lets shorter bursts pass faster than the link. */
    static final long WINDOW_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    /** Nor do fewer bytes say anything, if the link is slow. */
    static final long WINDOW_BYTES = 1 << 20;

    /** What carries more is not the limit, but the processor: less than the link carries comes, and to ask for it makes it less. */
    static final double FASTEST = 150_000_000;

    /**
     * Fills a link while streams differ a little. And keeps what is known: streams that bring a little less than was asked for
     * bring no less than the link carried before.
     */
    static final double MORE = 1.05;

    /** Finds out what a link carries that is not known well: it may be what was asked for that limits it. */
    static final double MUCH_MORE = 1.5;

    /** A link is known when so many windows have brought no more than this, of what came before. */
    static final int WINDOWS_UNTIL_KNOWN = 8;

    private static final double GROWTH = 1.1;

    /** In a row, that brought what was asked for and no less: then it may be known wrongly. */
    private static final int WINDOWS_AS_ASKED = 4;

    private static final double AS_ASKED = 0.995;

    /** Of what is known, in a window with less. */
    private static final double KEPT = 0.99;

    /** Of an equal share, for who has next to nothing left: what follows it on its connection is not to crawl. */
    private static final double LEAST_SHARE = 0.25;

    private final LongSupplier receivedBytes;
    private final LongSupplier clock;
    private double bytesPerSecond;
    private int windowsWithoutGrowth;
    private int windowsAsAsked;
    private double asked; // of all streams together; 0: as many as they can
    private boolean measures;
    private long startNanos;
    private long startBytes;

    /**
     * Knows nothing yet.
     *
     * @param receivedBytes over all links from other hosts, read or not
     * @param clock nanoseconds since any time
     */
    public LinkRate(LongSupplier receivedBytes, LongSupplier clock) {
        this.receivedBytes = receivedBytes;
        this.clock = clock;
    }

    /**
     * An operation begins; what comes between two says little about the link.
     *
     * @param streams that will come at once
     * @return bytes per second that they should take together; 0 if as many as they can
     */
    public long begin(int streams) {
        measures = false;
        double more = windowsWithoutGrowth < WINDOWS_UNTIL_KNOWN ? MUCH_MORE : MORE;
        asked = streams < 2 || bytesPerSecond > FASTEST ? 0 : more * bytesPerSecond;
        return (long) asked;
    }

    /**
     * {@return bytes per second in which one of several streams should come now; 0 if as many as it can} Each gets the part that what it
     * has still to bring is of what all have, so that all end at once: whoever ends alone, paced, leaves the link half empty.
     *
     * @param together what {@link #begin} has returned for these streams
     * @param its bytes that it has still to bring
     * @param all bytes that all streams have still to bring; more than 0
     */
    public static long share(long together, int streams, long its, long all) {
        return (long) (together * Math.max((double) its / all, LEAST_SHARE / streams));
    }

    /** A piece of an operation under way has come. */
    public void arrived() {
        long now = clock.getAsLong();
        if (measures && now - startNanos < WINDOW_NANOS) {
            return;
        }
        long bytes = receivedBytes.getAsLong();
        if (measures) {
            if (bytes - startBytes < WINDOW_BYTES) {
                return;
            }
            long nanos =
                    clock.getAsLong() - startNanos; // from before the first count to after the last: never too short
            add((bytes - startBytes) * 1e9 / nanos);
        }
        measures = true;
        startNanos = now;
        startBytes = bytes;
    }

    private void add(double rate) {
        windowsAsAsked = asked > 0 && rate > AS_ASKED * asked ? windowsAsAsked + 1 : 0;
        boolean unknown = rate > GROWTH * bytesPerSecond || windowsAsAsked >= WINDOWS_AS_ASKED;
        windowsWithoutGrowth = unknown ? 0 : windowsWithoutGrowth + 1;
        bytesPerSecond = Math.max(KEPT * bytesPerSecond, rate);
    }
}
