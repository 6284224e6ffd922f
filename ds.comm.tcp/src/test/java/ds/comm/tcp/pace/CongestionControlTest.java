package ds.comm.tcp.pace;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.comm.tcp.wire.NativeSocket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class CongestionControlTest {
    private static final CongestionControl AUTOMATIC = new CongestionControl(CongestionControl.AUTOMATIC);
    private static final Optional<Duration> SHORT = Optional.of(CongestionControl.SHORT.minusNanos(1000));
    private static final Optional<Duration> LONG = Optional.of(CongestionControl.SHORT);

    @Test
    void onlyBbrOnAShortWayGivesWayToReno() {
        assertEquals("reno", AUTOMATIC.choice("bbr", SHORT));
        assertEquals("bbr", AUTOMATIC.choice("bbr", LONG));
        assertEquals("bbr", AUTOMATIC.choice("bbr", Optional.empty()));
        assertEquals("cubic", AUTOMATIC.choice("cubic", SHORT));
    }

    @Test
    void whatIsConfiguredIsTakenOnAnyWay() {
        assertEquals("bbr", new CongestionControl(CongestionControl.OF_THE_SYSTEM).choice("bbr", SHORT));
        assertEquals("cubic", new CongestionControl("cubic").choice("bbr", LONG));
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void whatTheSystemAllowsIsFoundOut() throws IOException {
        assertTrue(AUTOMATIC.isAllowed());
        assertTrue(new CongestionControl("reno").isAllowed());
        assertFalse(new CongestionControl("nobody").isAllowed());
        assertFalse(new CongestionControl("").isAllowed());
    }

    /** Loopback is a short way. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void aConnectionTakesWhatWasChosen() throws IOException {
        try (ServerSocketChannel server =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel socket = SocketChannel.open(server.getLocalAddress())) {
            NativeSocket system = NativeSocket.of(socket).orElseThrow();
            assumeTrue(system.control("bbr"), "BBR is not allowed here");
            new CongestionControl(CongestionControl.OF_THE_SYSTEM).choose(system);
            assertEquals("bbr", system.congestionControl());
            AUTOMATIC.choose(system);
            assertEquals("reno", system.congestionControl());
        }
    }
}
