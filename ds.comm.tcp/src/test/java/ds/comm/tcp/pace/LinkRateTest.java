package ds.comm.tcp.pace;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class LinkRateTest {
    private static final long MEGABYTE = 1_000_000;
    private static final int STREAMS = 3;

    private final LinkRate rate = new LinkRate();
    private long nanos;

    /** An operation over a link of this rate, whose streams keep to what they were asked. */
    private void operate(long bytesPerSecond) {
        long asked = STREAMS * rate.share(STREAMS);
        long reached = asked == 0 ? bytesPerSecond : Math.min(asked, bytesPerSecond);
        rate.begin();
        nanos += TimeUnit.SECONDS.toNanos(1); // until the first one comes, whatever the link
        for (int megabyte = 0; megabyte < 5; megabyte++) {
            rate.arrived(MEGABYTE, nanos);
            nanos += TimeUnit.SECONDS.toNanos(MEGABYTE) / reached;
        }
        rate.end();
    }

    private void operate(long bytesPerSecond, int times) {
        for (int i = 0; i < times; i++) {
            operate(bytesPerSecond);
        }
    }

    private void assertAsksForShareOf(long bytesPerSecond) {
        double share = (double) bytesPerSecond / STREAMS;
        assertEquals(1.1 * share, rate.share(STREAMS), 0.06 * share, "a tenth more than a third");
    }

    @Test
    void streamsAreFreeUntilTheLinkIsKnown() {
        assertEquals(0, rate.share(STREAMS));
        rate.begin();
        rate.arrived(1000, 0);
        rate.arrived(1000, 1000);
        rate.end();
        assertEquals(0, rate.share(STREAMS), "a thousand bytes say nothing");
    }

    @Test
    void eachGetsALittleMoreThanItsShare() {
        operate(60 * MEGABYTE, 2);
        assertAsksForShareOf(60 * MEGABYTE);
        assertEquals(0, rate.share(1), "who sends alone");
    }

    @Test
    void aLinkTenTimesAsFastIsFoundOutInAFewOperations() {
        operate(6 * MEGABYTE, 2);
        operate(60 * MEGABYTE, 6); // 1.1, 2.2, 4.4, 8.8 and 10 times as fast, then no faster
        assertAsksForShareOf(60 * MEGABYTE);
    }

    @Test
    void aSlowOperationIsNotTakenForASlowLink() {
        operate(60 * MEGABYTE, 2);
        operate(20 * MEGABYTE);
        assertTrue(STREAMS * rate.share(STREAMS) > 59 * MEGABYTE, "no less than what is known to come");
        operate(60 * MEGABYTE, 2);
        assertAsksForShareOf(60 * MEGABYTE);
    }

    @Test
    void aSlowLinkIsFoundOutInTheEnd() {
        operate(60 * MEGABYTE, 2);
        operate(30 * MEGABYTE, 10); // 0.9 to the power of 10: 0.35
        assertAsksForShareOf(30 * MEGABYTE);
    }

    @Test
    void whatIsFasterThanTheTimerIsLeftAlone() {
        for (int operation = 0; operation < 2; operation++) {
            rate.begin();
            rate.arrived(1, 0);
            rate.arrived(STREAMS * LinkRate.FASTEST_STREAM / 10, TimeUnit.MILLISECONDS.toNanos(100));
            rate.end();
        }
        assertEquals(0, rate.share(STREAMS));
        assertTrue(rate.share(2 * STREAMS) > 0, "but not where there are more of them");
    }
}
