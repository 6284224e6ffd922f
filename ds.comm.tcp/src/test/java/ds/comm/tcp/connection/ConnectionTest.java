package ds.comm.tcp.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ConnectionTest {
    /** A millisecond of the rate, in steps of 4 KiB. */
    @Test
    void aSlowConnectionSendsInSmallBursts() {
        assertEquals(4 << 10, Connection.burstBytes(1000));
        assertEquals(4 << 10, Connection.burstBytes(4_100_000), "a third of 100 Mbit/s");
        assertEquals(16 << 10, Connection.burstBytes(16_500_000));
        assertEquals(FrameWriter.NO_LIMIT, Connection.burstBytes(20_000_000));
        assertEquals(FrameWriter.NO_LIMIT, Connection.burstBytes(0), "as fast as it can");
    }

    /** Two bursts, and never more than two pieces. */
    @Test
    void aSlowConnectionHoldsLess() {
        assertEquals(8 << 10, Connection.heldBytes(4_100_000));
        assertEquals(32 << 10, Connection.heldBytes(16_500_000));
        assertEquals(128 << 10, Connection.heldBytes(20_000_000));
        assertEquals(128 << 10, Connection.heldBytes(0));
    }
}
