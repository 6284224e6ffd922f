package ds.comm.tcp;

import ds.api.spi.ProviderException;
import ds.api.spi.ProviderOptions;
import ds.comm.tcp.mesh.Mesh;
import ds.comm.tcp.pace.CongestionControl;
import ds.comm.tcp.share.Neighbours;
import ds.comm.tcp.tls.Tls;
import ds.comm.tcp.tls.TlsOptions;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * What can be configured.
 *
 * @param timeout {@code timeout_seconds}: how long all ranks may take to join, and an operation under way may go without a
 *     byte; 60
 * @param listenHost {@code listen_host}: where this rank listens while the job forms, if not at the address that the others
 *     see, such as behind a translated address
 * @param inboxBytes {@code inbox_bytes}: memory per group in which pieces of a reduction wait to be combined; 4 MiB
 * @param sharedMemory {@code shared_memory}: whether ranks of one host exchange bytes through memory; true
 * @param host {@code host}: if not empty, only ranks with the same one count as ranks of one host
 * @param congestionControl {@code congestion_control}: by which the system sends to other hosts: {@code auto}, the system's
 *     own, but Reno in place of BBR where round trips take less than 2 ms; {@code system}; or a name, such as {@code cubic}
 * @param tls as {@link TlsOptions} say; without it bytes travel in clear
 */
record TcpOptions(
        Duration timeout,
        Optional<String> listenHost,
        long inboxBytes,
        boolean sharedMemory,
        String host,
        CongestionControl congestionControl,
        Optional<Tls> tls) {
    private static final double DEFAULT_TIMEOUT_SECONDS = 60;
    private static final long DEFAULT_INBOX_BYTES = 4 << 20;

    static TcpOptions of(ProviderOptions options, Map<String, String> environment) {
        double seconds = options.number("timeout_seconds", DEFAULT_TIMEOUT_SECONDS);
        String host = options.text("listen_host", "");
        long inboxBytes = options.integer("inbox_bytes", DEFAULT_INBOX_BYTES);
        boolean sharedMemory = options.flag("shared_memory", true);
        String sameHost = options.text("host", "");
        CongestionControl congestionControl =
                new CongestionControl(options.text("congestion_control", CongestionControl.AUTOMATIC));
        Optional<Tls> tls = TlsOptions.read(options, environment);
        options.rejectUnknown();
        if (!(seconds > 0 && seconds < 1e9)) {
            throw new ProviderException("timeout_seconds = " + seconds + ": must be a positive number of seconds");
        }
        if (inboxBytes < 1 || inboxBytes > 1L << 40) {
            throw new ProviderException("inbox_bytes = " + inboxBytes + ": must be a positive number of bytes; "
                    + DEFAULT_INBOX_BYTES + " is the default");
        }
        requireAllowed(congestionControl);
        Optional<String> listenHost = host.isEmpty() ? Optional.empty() : Optional.of(host);
        return new TcpOptions(
                Duration.ofNanos((long) (seconds * 1e9)),
                listenHost,
                inboxBytes,
                sharedMemory,
                sameHost,
                congestionControl,
                tls);
    }

    private static void requireAllowed(CongestionControl control) {
        String what = "congestion_control = " + control.name() + ": ";
        try {
            if (!control.isAllowed()) {
                throw new ProviderException(what + "this system does not allow it; `sysctl"
                        + " net.ipv4.tcp_allowed_congestion_control` says what it does; \""
                        + CongestionControl.AUTOMATIC
                        + "\" is the default");
            }
        } catch (IOException e) {
            throw new ProviderException(what + "cannot be tried on a connection of loopback: " + e, e);
        }
    }

    Mesh.Options mesh() {
        return new Mesh.Options(timeout, inboxBytes, congestionControl);
    }

    /** {@return where this rank is, the same text for ranks that can share memory; empty if it is to share none} */
    String where() {
        String machine = Neighbours.thisHost();
        return sharedMemory && !machine.isEmpty() ? machine + " " + host : "";
    }
}
