package ds.comm.tcp.pace;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.comm.tcp.wire.NativeSocket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** On loopback, whose way is short. */
@EnabledOnOs(OS.LINUX)
class CongestionControlTest {
    private ServerSocketChannel server;
    private SocketChannel socket;
    private NativeSocket system;

    @BeforeEach
    void connect() throws IOException {
        server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        socket = SocketChannel.open(server.getLocalAddress());
        system = NativeSocket.of(socket).orElseThrow();
    }

    @AfterEach
    void close() throws IOException {
        socket.close();
        server.close();
    }

    private void choose(String name) throws IOException {
        new CongestionControl(name).choose(Optional.of(system));
    }

    @Test
    void bbrIsNotTakenOnAShortWay() throws IOException {
        assumeTrue(system.control("bbr"), "BBR is not allowed here");
        choose(CongestionControl.OF_THE_SYSTEM);
        assertEquals("bbr", system.congestionControl());
        choose(CongestionControl.AUTOMATIC);
        assertEquals("reno", system.congestionControl());
    }

    @Test
    void othersStay() throws IOException {
        assumeTrue(system.control("cubic"), "Cubic is not allowed here");
        choose(CongestionControl.AUTOMATIC);
        assertEquals("cubic", system.congestionControl());
    }

    @Test
    void whoIsNamedIsTaken() throws IOException {
        choose("reno");
        assertEquals("reno", system.congestionControl());
    }

    @Test
    void aNameThatTheSystemRefusesIsToldWithWhatIsPossible() {
        IOException refused = assertThrows(IOException.class, () -> choose("nobody"));
        assertTrue(refused.getMessage().startsWith("congestion_control = nobody: "), refused.getMessage());
        assertTrue(refused.getMessage().contains("tcp_allowed_congestion_control"), refused.getMessage());
        assertThrows(IOException.class, () -> new CongestionControl("reno").choose(Optional.empty()), "no way to ask");
        assertEquals(socketsOwn(), system.congestionControl());
    }

    private String socketsOwn() {
        try (SocketChannel another = SocketChannel.open(server.getLocalAddress())) {
            return NativeSocket.of(another).orElseThrow().congestionControl();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
