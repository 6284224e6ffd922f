package ds.comm.tcp.pace;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PaceTest {
    private static final long MILLI = 1_000_000;
    private static final long START = 7;
    private static final int BYTES = 1000;

    /** A byte a microsecond. */
    private final Pace pace = new Pace(1_000_000, START);

    @Test
    void bytesLeaveOneAfterTheOther() {
        assertTrue(pace.waitNanos(START) <= 0, "the first");
        for (int i = 1; i <= 5; i++) {
            long now = START + (i - 1) * MILLI;
            pace.sent(BYTES, now);
            assertEquals(MILLI, pace.waitNanos(now));
            assertEquals(0, pace.waitNanos(now + MILLI));
        }
    }

    @Test
    void whatATimerIsLateIsCaughtUp() {
        pace.sent(BYTES, START);
        pace.sent(BYTES, START + 3 * MILLI);
        pace.sent(BYTES, START + 3 * MILLI);
        assertTrue(pace.waitNanos(START + 3 * MILLI) <= 0, "3000 bytes in 3 ms");
        pace.sent(BYTES, START + 3 * MILLI);
        assertEquals(MILLI, pace.waitNanos(START + 3 * MILLI));
    }

    @Test
    void whatWasNotThereIsNotCaughtUp() {
        pace.sent(BYTES, START);
        long later = START + 1000 * MILLI;
        int sent = 0;
        for (; pace.waitNanos(later) <= 0; sent++) {
            pace.sent(BYTES, later);
        }
        assertEquals(5, sent, "4 ms of bytes, and the next");
    }

    @Test
    void withoutARateNothingWaits() {
        Pace free = new Pace(0, START);
        free.sent(1L << 40, START);
        assertTrue(free.waitNanos(START) <= 0);
    }
}
