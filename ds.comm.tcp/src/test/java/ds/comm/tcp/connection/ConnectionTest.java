package ds.comm.tcp.connection;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ConnectionTest {
    /** Eight milliseconds of it, in steps of 16 KiB, and never more than two pieces. */
    @Test
    void aSlowConnectionHoldsLess() {
        assertEquals(128 << 10, Connection.heldBytes(0), "as fast as it can");
        assertEquals(128 << 10, Connection.heldBytes(100_000_000));
        assertEquals(32 << 10, Connection.heldBytes(4_100_000), "a third of 100 Mbit/s");
        assertEquals(16 << 10, Connection.heldBytes(1000));
    }
}
