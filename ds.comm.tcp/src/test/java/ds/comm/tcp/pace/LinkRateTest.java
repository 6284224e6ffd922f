package ds.comm.tcp.pace;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class LinkRateTest {
    private static final long MEGABYTE = 1_000_000;
    private static final int STREAMS = 3;
    private static final int PIECE = 65536;

    private long nanos;
    private long received;
    private final LinkRate rate = new LinkRate(() -> received, () -> nanos);

    /** An operation over a link of this rate, whose streams keep to what they were asked. */
    private void operation(long bytesPerSecond, int pieces) {
        long asked = rate.begin(STREAMS);
        long reached = asked == 0 ? bytesPerSecond : Math.min(asked, bytesPerSecond);
        nanos += TimeUnit.SECONDS.toNanos(1); // until the first one comes, whatever the link
        for (int piece = 0; piece < pieces; piece++) {
            nanos += TimeUnit.SECONDS.toNanos(PIECE) / reached;
            received += PIECE;
            rate.arrived();
        }
    }

    private void operate(long bytesPerSecond, int times) {
        for (int i = 0; i < times; i++) {
            operation(bytesPerSecond, 100);
        }
    }

    private void assertAsksFor(double more, long bytesPerSecond) {
        assertEquals(
                more * bytesPerSecond, rate.begin(STREAMS), 0.01 * bytesPerSecond, more + " times " + bytesPerSecond);
    }

    @Test
    void streamsAreFreeUntilTheLinkIsKnown() {
        assertEquals(0, rate.begin(STREAMS));
        int sixteenMillis = 16_000_000 / PIECE;
        for (int i = 0; i < 10; i++) {
            operation(1000 * MEGABYTE, sixteenMillis);
        }
        assertEquals(0, rate.begin(STREAMS), "too short to say anything, and what lies between them says nothing");
        operation(MEGABYTE, (int) (LinkRate.WINDOW_BYTES / PIECE));
        assertEquals(0, rate.begin(STREAMS), "too little to say anything");
    }

    @Test
    void theyGetALittleMoreThanWhatCame() {
        operate(60 * MEGABYTE, 1);
        assertAsksFor(LinkRate.MUCH_MORE, 60 * MEGABYTE);
        operate(60 * MEGABYTE, 2);
        assertAsksFor(LinkRate.MORE, 60 * MEGABYTE);
        assertEquals(0, rate.begin(1), "who sends alone");
    }

    @Test
    void whatThisRankReadsLateCountsWhenItCame() {
        rate.begin(STREAMS);
        rate.arrived();
        for (int i = 0; i < 40; i++) { // 100 ms nothing is read, then all at once
            nanos += TimeUnit.MILLISECONDS.toNanos(100);
            received += 6 * MEGABYTE;
            for (int piece = 0; piece < 90; piece++) {
                rate.arrived();
            }
        }
        assertAsksFor(LinkRate.MORE, 60 * MEGABYTE);
    }

    @Test
    void aLinkTenTimesAsFastIsFoundOut() {
        operate(6 * MEGABYTE, 10);
        operate(60 * MEGABYTE, 10); // 1.05, 1.6, 2.4, 3.5, 5.3, 8 and 10 times as fast, then no faster
        assertAsksFor(LinkRate.MORE, 60 * MEGABYTE);
    }

    @Test
    void aSlowOperationIsNotTakenForASlowLink() {
        operate(60 * MEGABYTE, 5);
        operate(20 * MEGABYTE, 1);
        assertTrue(rate.begin(STREAMS) > 54 * MEGABYTE, "a hundredth less a window, and a little more");
        operate(60 * MEGABYTE, 4); // finds out whether it was what it asked for
        assertAsksFor(LinkRate.MORE, 60 * MEGABYTE);
    }

    @Test
    void aSlowLinkIsFoundOutInTheEnd() {
        operate(60 * MEGABYTE, 5);
        operate(30 * MEGABYTE, 20);
        assertAsksFor(LinkRate.MORE, 30 * MEGABYTE);
    }

    /** Gaps between credits, or a timer that is late: else the pace would limit what comes, and what came the pace, ever slower. */
    @Test
    void streamsThatNeverQuiteKeepUpAreNotSlowedAgainAndAgain() {
        operate(60 * MEGABYTE, 5);
        for (int i = 0; i < 50; i++) {
            operate(Math.min(60 * MEGABYTE, (long) (0.96 * rate.begin(STREAMS))), 1);
        }
        assertTrue(rate.begin(STREAMS) > 59 * MEGABYTE, "asks for " + rate.begin(STREAMS));
    }

    @Test
    void whoIsBehindGetsMoreAndWhoIsNearlyDoneNotNothing() {
        assertEquals(3000, LinkRate.share(9000, 3, 400, 1200), "all alike");
        assertEquals(6000, LinkRate.share(9000, 3, 800, 1200));
        assertEquals(750, LinkRate.share(9000, 3, 4, 1200), "a fourth of an equal share");
        assertEquals(750, LinkRate.share(9000, 3, 0, 1200), "what follows on its connection");
        assertEquals(0, LinkRate.share(0, 3, 400, 1200), "as many as it can");
    }

    @Test
    void fastLinksAreLeftAlone() {
        operate(200 * MEGABYTE, 5);
        assertEquals(0, rate.begin(STREAMS));
    }
}
