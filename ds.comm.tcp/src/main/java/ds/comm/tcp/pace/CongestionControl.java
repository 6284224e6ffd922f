package ds.comm.tcp.pace;

import ds.comm.tcp.wire.NativeSocket;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Optional;

/**
 * Which of the system's ways to share a link its connections take.
 *
 * <p>BBR finds out by itself how long the way is: every ten seconds a connection holds back all but four packets for 200 ms, each
 * at a time of its own. A collective waits for the slowest of its streams, so it waits for all of them: between four hosts it lost a tenth
 * of the link. Where the way is short, Reno, which every Linux has and allows, keeps the link full as well as any. Where it is
 * long, or loses packets by itself, BBR is the better one, and stays.
 *
 * @param name {@link #AUTOMATIC}, {@link #OF_THE_SYSTEM}, or one that the system knows, such as {@code cubic}
 */
public record CongestionControl(String name) {
    /** The system's, but not BBR where the way is short. */
    public static final String AUTOMATIC = "auto";

    /** Whatever the system gives a new connection. */
    public static final String OF_THE_SYSTEM = "system";

    /** Longer ones leave the site; within one a round trip takes some tenths of a millisecond, if no queue is on the way. */
    static final Duration SHORT = Duration.ofMillis(2);

    private static final String BBR = "bbr";
    private static final String RENO = "reno";

    /** {@return whether this system allows it} Tried on a connection to itself. */
    public boolean isAllowed() throws IOException {
        if (name.equals(AUTOMATIC) || name.equals(OF_THE_SYSTEM)) {
            return true;
        }
        InetSocketAddress anyPort = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(anyPort);
                SocketChannel socket = SocketChannel.open(server.getLocalAddress())) {
            return NativeSocket.of(socket)
                    .filter(system -> system.control(name))
                    .isPresent();
        }
    }

    /** Has a connection take it. */
    public void choose(NativeSocket socket) {
        String own = socket.congestionControl();
        String chosen = choice(own, socket.shortestRoundTrip());
        if (!chosen.equals(own)) {
            boolean ignored = socket.control(chosen); // allowed, or as good as it gets
        }
    }

    /**
     * {@return what a connection takes}
     *
     * @param own the system's choice
     * @param roundTrip the shortest one, if it is known
     */
    String choice(String own, Optional<Duration> roundTrip) {
        return switch (name) {
            case OF_THE_SYSTEM -> own;
            case AUTOMATIC -> {
                boolean isShort = roundTrip.isPresent() && roundTrip.get().compareTo(SHORT) < 0;
                yield own.equals(BBR) && isShort ? RENO : own;
            }
            default -> name;
        };
    }
}
