package ds.comm.tcp.wire;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.SocketException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The right socket of several gets the option, whatever the family of its addresses. */
@EnabledOnOs(OS.LINUX)
class NativeSocketTest {
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_NOTSENT_LOWAT = 25;

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "::1"})
    void theRightSocketHoldsNoMoreThanItIsTold(String loopback) throws Throwable {
        assumeTrue(isHere(loopback), "no " + loopback + " here");
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress(loopback, 0));
                SocketChannel one = SocketChannel.open(server.getLocalAddress());
                SocketChannel otherEnd = server.accept();
                SocketChannel another = SocketChannel.open(server.getLocalAddress())) {
            NativeSocket told = NativeSocket.of(one).orElseThrow();
            NativeSocket end = NativeSocket.of(otherEnd).orElseThrow();
            NativeSocket notTold = NativeSocket.of(another).orElseThrow();
            assertNotEquals(told.number(), end.number());
            assertNotEquals(told.number(), notTold.number());
            told.holdAtMost(131072);
            assertEquals(131072, held(told.number()));
            assertNotEquals(131072, held(end.number()));
            assertNotEquals(131072, held(notTold.number()));
        }
    }

    /** Many a container has no IPv6. */
    private static boolean isHere(String address) throws SocketException {
        return NetworkInterface.networkInterfaces()
                .flatMap(NetworkInterface::inetAddresses)
                .anyMatch(InetAddress.ofLiteral(address)::equals);
    }

    @Test
    void aClosedSocketIsNotToBeHad() throws Exception {
        try (ServerSocket server = new ServerSocket(0)) {
            SocketChannel closed = SocketChannel.open(server.getLocalSocketAddress());
            closed.close();
            assertTrue(NativeSocket.of(closed).isEmpty());
        }
    }

    @SuppressWarnings("restricted") // what the system says of a socket
    private static int held(int number) throws Throwable {
        Linker linker = Linker.nativeLinker();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(JAVA_INT);
            MemorySegment size = arena.allocateFrom(JAVA_INT, Integer.BYTES);
            int error = (int) linker.downcallHandle(
                            linker.defaultLookup().findOrThrow("getsockopt"),
                            FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS))
                    .invokeExact(number, IPPROTO_TCP, TCP_NOTSENT_LOWAT, value, size);
            assertEquals(0, error);
            return value.get(JAVA_INT, 0);
        }
    }
}
