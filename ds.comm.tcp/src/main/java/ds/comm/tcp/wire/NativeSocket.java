package ds.comm.tcp.wire;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;

/**
 * What Java does not know of a TCP socket (socket(7), tcp(7)): how much the system takes that it cannot send yet, how fast it sends
 * and by which congestion control, how much it has received, and how long the way is. Linux on 64 bits, where native access is
 * granted to this module; elsewhere there is none. The socket's number is found among those of this process by its addresses, and is
 * valid as long as the socket is open. For one thread.
 */
public final class NativeSocket {
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_NOTSENT_LOWAT = 25;
    private static final int TCP_CONGESTION = 13;
    private static final int TCP_CA_NAME_MAX = 16;
    private static final int TCP_INFO = 11;
    private static final int BYTES_RECEIVED = 128; // where in struct tcp_info; since Linux 4.1
    private static final int MIN_RTT = 148; // microseconds; since Linux 4.6
    private static final int INFO_BYTES = MIN_RTT + Integer.BYTES;
    private static final int SOL_SOCKET = 1;
    private static final int SO_MAX_PACING_RATE = 47;
    private static final int AF_INET = 2;
    private static final int AF_INET6 = 10;
    private static final int ADDRESS_BYTES = 128; // struct sockaddr_storage

    private final int number;
    private final MemorySegment value = Arena.ofAuto().allocate(INFO_BYTES, Long.BYTES);
    private final MemorySegment valueBytes = Arena.ofAuto().allocate(JAVA_INT);

    private NativeSocket(int number) {
        this.number = number;
    }

    /** The system's functions; loaded when the first socket asks. */
    private static final class Functions {
        private static final Linker LINKER = Linker.nativeLinker();
        private static final MethodHandle SET_OPTION = function(
                "setsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT));
        private static final MethodHandle GET_OPTION =
                function("getsockopt", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));
        private static final MethodHandle OWN_ADDRESS =
                function("getsockname", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));
        private static final MethodHandle PEER_ADDRESS =
                function("getpeername", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));

        @SuppressWarnings("restricted") // granted, or nobody comes here
        private static MethodHandle function(String name, FunctionDescriptor type) {
            return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type);
        }
    }

    /** {@return the same socket as the system knows it, if it is to be had} */
    public static Optional<NativeSocket> of(SocketChannel socket) {
        if (!isSupported()) {
            return Optional.empty();
        }
        String[] numbers = new File("/proc/self/fd").list();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(ADDRESS_BYTES, 8);
            MemorySegment size = arena.allocate(JAVA_INT);
            SocketAddress own = socket.getLocalAddress();
            SocketAddress peer = socket.getRemoteAddress();
            for (String number : numbers == null ? new String[0] : numbers) {
                int candidate = Integer.parseInt(number);
                if (own.equals(ask(Functions.OWN_ADDRESS, candidate, address, size))
                        && peer.equals(ask(Functions.PEER_ADDRESS, candidate, address, size))) {
                    return Optional.of(new NativeSocket(candidate));
                }
            }
        } catch (IOException e) {
            return Optional.empty(); // closed meanwhile, as whoever uses it will see
        }
        return Optional.empty();
    }

    private static boolean isSupported() {
        return System.getProperty("os.name").equals("Linux")
                && ADDRESS.byteSize() == Long.BYTES
                && NativeSocket.class.getModule().isNativeAccessEnabled();
    }

    /** {@return one of a socket's addresses, or null if it has none or is no TCP socket at all} */
    private static SocketAddress ask(MethodHandle function, int socket, MemorySegment address, MemorySegment size)
            throws UnknownHostException {
        size.set(JAVA_INT, 0, ADDRESS_BYTES);
        int error;
        try {
            error = (int) function.invokeExact(socket, address, size);
        } catch (Throwable e) {
            throw new IllegalStateException("asking for the address of a socket", e);
        }
        if (error != 0) {
            return null;
        }
        int port = Short.toUnsignedInt(address.get(
                JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN), Short.BYTES)); // behind the family, as in all of them
        return switch (address.get(JAVA_SHORT, 0)) {
            case AF_INET -> new InetSocketAddress(host(address, 4, 4), port);
            case AF_INET6 -> new InetSocketAddress(host(address, 8, 16), port); // behind the flow
            default -> null;
        };
    }

    /** IPv4 addresses within IPv6 become IPv4 ones, as Java has them. */
    private static InetAddress host(MemorySegment address, long offset, int bytes) throws UnknownHostException {
        return InetAddress.getByAddress(address.asSlice(offset, bytes).toArray(JAVA_BYTE));
    }

    /**
     * Has the system take no more when so many bytes wait to be sent: what comes next may be more urgent. A system that does not know
     * this goes on without it.
     */
    public void holdAtMost(int bytes) {
        value.set(JAVA_INT, 0, bytes);
        boolean ignored = set(IPPROTO_TCP, TCP_NOTSENT_LOWAT, Integer.BYTES);
    }

    /**
     * Has the system send no faster. A system that does not know this goes on without it.
     *
     * @param bytesPerSecond 0: as fast as it can
     */
    public void keepTo(long bytesPerSecond) {
        value.set(JAVA_LONG, 0, bytesPerSecond == 0 ? -1 : bytesPerSecond);
        boolean ignored = set(SOL_SOCKET, SO_MAX_PACING_RATE, Long.BYTES);
    }

    /**
     * Has the system send by another congestion control.
     *
     * @param name such as {@code reno}
     * @return whether it does: it has to know it, and to allow it to this process
     */
    public boolean control(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length == 0 || bytes.length >= TCP_CA_NAME_MAX) {
            return false;
        }
        value.asSlice(0, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
        return set(IPPROTO_TCP, TCP_CONGESTION, bytes.length);
    }

    private boolean set(int level, int option, int bytes) {
        try {
            return (int) Functions.SET_OPTION.invokeExact(number, level, option, value, bytes) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException("setting an option of a socket", e);
        }
    }

    /** {@return how many bytes have come so far, read or not; 0 if the system does not say} */
    public long receivedBytes() {
        return get(TCP_INFO, INFO_BYTES) >= BYTES_RECEIVED + Long.BYTES ? value.get(JAVA_LONG, BYTES_RECEIVED) : 0;
    }

    /** {@return how long the shortest round trip has taken lately; empty if the system does not say} */
    public Optional<Duration> shortestRoundTrip() {
        int micros = get(TCP_INFO, INFO_BYTES) >= INFO_BYTES ? value.get(JAVA_INT, MIN_RTT) : -1;
        return micros == -1 ? Optional.empty() : Optional.of(Duration.ofNanos(1000 * Integer.toUnsignedLong(micros)));
    }

    /** {@return the name of the congestion control by which the system sends; empty if it does not say} */
    public String congestionControl() {
        return get(TCP_CONGESTION, TCP_CA_NAME_MAX) > 0 ? value.getString(0) : "";
    }

    /** {@return how many bytes of {@link #value} the system has filled in; 0 if it does not know the option} */
    private int get(int option, int bytes) {
        value.fill((byte) 0);
        valueBytes.set(JAVA_INT, 0, bytes);
        try {
            int error = (int) Functions.GET_OPTION.invokeExact(number, IPPROTO_TCP, option, value, valueBytes);
            return error == 0 ? valueBytes.get(JAVA_INT, 0) : 0;
        } catch (Throwable e) {
            throw new IllegalStateException("asking for the state of a socket", e);
        }
    }

    /** {@return the number by which the system knows the socket} */
    int number() {
        return number;
    }
}
