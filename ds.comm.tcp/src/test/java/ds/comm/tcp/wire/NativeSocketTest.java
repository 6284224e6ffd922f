package ds.comm.tcp.wire;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The right socket of several gets the options, whatever the family of its addresses. */
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

    @Test
    void whatHasComeCountsBeforeItIsRead() throws Exception {
        try (ServerSocketChannel server =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel one = SocketChannel.open(server.getLocalAddress());
                SocketChannel otherEnd = server.accept()) {
            NativeSocket end = NativeSocket.of(otherEnd).orElseThrow();
            assertEquals(0, end.receivedBytes());
            one.write(ByteBuffer.allocate(1000));
            otherEnd.read(ByteBuffer.allocate(1)); // waits until they are there
            assertEquals(1000, end.receivedBytes());
            assertEquals(0, NativeSocket.of(one).orElseThrow().receivedBytes());
        }
    }

    /** 2 MiB at 8 MiB a second take a quarter of one, but for bursts; without a limit loopback takes some milliseconds. */
    @Test
    void theSystemSendsNoFasterThanItIsTold() throws Exception {
        try (ServerSocketChannel server =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel one = SocketChannel.open(server.getLocalAddress());
                SocketChannel otherEnd = server.accept()) {
            NativeSocket.of(one).orElseThrow().keepTo(8 << 20);
            long begin = System.nanoTime();
            Thread sender = Thread.startVirtualThread(() -> write(one, ByteBuffer.allocate(2 << 20)));
            new PlainWire(otherEnd).read(2 << 20, Deadline.in(Duration.ofSeconds(60)));
            double seconds = (System.nanoTime() - begin) * 1e-9;
            sender.join();
            assertTrue(seconds > 0.15, "2 MiB in " + seconds + " s");
        }
    }

    @Test
    void theSystemSendsByTheCongestionControlThatItIsTold() throws Exception {
        try (ServerSocketChannel server =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel one = SocketChannel.open(server.getLocalAddress());
                SocketChannel otherEnd = server.accept()) {
            NativeSocket told = NativeSocket.of(one).orElseThrow();
            String before = NativeSocket.of(otherEnd).orElseThrow().congestionControl();
            assertTrue(told.control("reno"));
            assertEquals("reno", told.congestionControl());
            assertEquals(before, NativeSocket.of(otherEnd).orElseThrow().congestionControl());
            assertFalse(told.control("nobody"));
            assertFalse(told.control("longer than any name"));
            assertEquals("reno", told.congestionControl());
            Duration way = told.shortestRoundTrip().orElseThrow();
            assertTrue(way.isPositive() && way.compareTo(Duration.ofSeconds(1)) < 0, way + " on loopback");
        }
    }

    private static void write(SocketChannel socket, ByteBuffer bytes) {
        try {
            new PlainWire(socket).send(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
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
