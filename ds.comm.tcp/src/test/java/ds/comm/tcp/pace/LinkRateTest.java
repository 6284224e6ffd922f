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
    private void operate(long bytesPerSecond, int pieces) {
        rate.begin();
        long asked = STREAMS * rate.share(STREAMS);
        long reached = asked == 0 ? bytesPerSecond : Math.min(asked, bytesPerSecond);
        nanos += TimeUnit.SECONDS.toNanos(1); // until the first one comes, whatever the link
        for (int piece = 0; piece < pieces; piece++) {
            nanos += TimeUnit.SECONDS.toNanos(PIECE) / reached;
            received += PIECE;
            rate.arrived();
        }
    }

    private void operate(long bytesPerSecond) {
        operate(bytesPerSecond, 100);
    }

    private void assertAsksFor(double more, long bytesPerSecond) {
        double share = (double) bytesPerSecond / STREAMS;
        assertEquals(more * share, rate.share(STREAMS), 0.01 * share, more + " times a third of " + bytesPerSecond);
    }

    @Test
    void streamsAreFreeUntilTheLinkIsKnown() {
        assertEquals(0, rate.share(STREAMS));
        int sixteenMillis = 16_000_000 / PIECE;
        for (int i = 0; i < 10; i++) {
            operate(1000 * MEGABYTE, sixteenMillis);
        }
        assertEquals(0, rate.share(STREAMS), "too short to say anything, and what lies between them says nothing");
        operate(MEGABYTE, (int) (LinkRate.WINDOW_BYTES / PIECE));
        assertEquals(0, rate.share(STREAMS), "too little to say anything");
    }

    @Test
    void eachGetsALittleMoreThanItsShare() {
        operate(60 * MEGABYTE);
        assertAsksFor(LinkRate.MUCH_MORE, 60 * MEGABYTE);
        operate(60 * MEGABYTE);
        operate(60 * MEGABYTE);
        assertAsksFor(LinkRate.MORE, 60 * MEGABYTE);
        assertEquals(0, rate.share(1), "who sends alone");
    }

    @Test
    void whatThisRankReadsLateCountsWhenItCame() {
        rate.begin();
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
        for (int i = 0; i < 10; i++) {
            operate(6 * MEGABYTE);
        }
        for (int i = 0;
                i < 60;
                i++) { // a twentieth more each time, unless something that keeps to nothing shows it sooner
            operate(60 * MEGABYTE);
        }
        assertAsksFor(LinkRate.MORE, 60 * MEGABYTE);
    }

    @Test
    void aSlowOperationIsNotTakenForASlowLink() {
        for (int i = 0; i < 5; i++) {
            operate(60 * MEGABYTE);
        }
        operate(20 * MEGABYTE);
        assertTrue(STREAMS * rate.share(STREAMS) > 54 * MEGABYTE, "a hundredth less a window, and a little more");
        for (int i = 0; i < 4; i++) { // finds out whether it was what it asked for
            operate(60 * MEGABYTE);
        }
        assertAsksFor(LinkRate.MORE, 60 * MEGABYTE);
    }

    @Test
    void aSlowLinkIsFoundOutInTheEnd() {
        for (int i = 0; i < 5; i++) {
            operate(60 * MEGABYTE);
        }
        for (int i = 0; i < 20; i++) {
            operate(30 * MEGABYTE);
        }
        assertAsksFor(LinkRate.MORE, 30 * MEGABYTE);
    }

    @Test
    void fastLinksAreLeftAlone() {
        for (int i = 0; i < 5; i++) {
            operate(200 * MEGABYTE);
        }
        assertEquals(0, rate.share(STREAMS));
    }
}
