package ds.comm.tcp.pace;

import ds.comm.tcp.wire.NativeSocket;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * Which of the system's ways to share a link its connections take.
 *
 * <p>BBR finds out by itself how long the way is: every ten seconds a connection holds back all but four packets for 200 ms, each at
 * a time of its own. A collective waits for the slowest of its streams, so it waits for all of them: between four hosts it lost a tenth of the
 * link. Where the way is short, Reno, which every Linux has and allows, keeps the link full as well as any. Where it is
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

    /**
     * Has a connection take it.
     *
     * @param socket empty where the system cannot be asked
     * @throws IOException if it was named and the system refuses it
     */
    public void choose(Optional<NativeSocket> socket) throws IOException {
        switch (name) {
            case OF_THE_SYSTEM -> {}
            case AUTOMATIC ->
                socket.filter(CongestionControl::hasBbrOnAShortWay).ifPresent(system -> system.control(RENO));
            default -> {
                if (socket.isEmpty() || !socket.get().control(name)) {
                    throw new IOException("congestion_control = " + name + ": this system does not allow it: `sysctl"
                            + " net.ipv4.tcp_allowed_congestion_control` says what it does; \"" + AUTOMATIC
                            + "\" is the default");
                }
            }
        }
    }

    private static boolean hasBbrOnAShortWay(NativeSocket system) {
        return system.congestionControl().equals(BBR)
                && system.shortestRoundTrip()
                        .filter(time -> time.compareTo(SHORT) < 0)
                        .isPresent();
    }
}
