package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.comm.Communicator;
import ds.api.comm.Rendezvous;
import ds.api.comm.Secret;
import ds.api.spi.ProviderOptions;
import ds.tck.comm.RankBody;
import ds.tck.comm.RankThreads;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executor;

/** Jobs whose ranks are threads of this JVM, over real sockets of the loopback interface. */
final class Loopback {
    static final Secret SECRET = Secret.of("0123456789abcdef0123456789abcdef");

    /** A thread for each task. */
    static final Executor THREADS = task -> Thread.ofPlatform().daemon().start(task);

    private Loopback() {}

    static void run(int worldSize, Map<String, ?> options, RankBody body) throws Exception {
        int port = freePort();
        RankThreads.run(worldSize, rank -> open(rank, worldSize, port, options), body);
    }

    static Communicator open(int rank, int worldSize, int port, Map<String, ?> options) {
        return open(new Rendezvous(rank, worldSize, rank, "127.0.0.1", port, Optional.of(SECRET)), options);
    }

    static Communicator open(Rendezvous rendezvous, Map<String, ?> options) {
        return new TcpCommunicatorProvider().open(rendezvous, new ProviderOptions("ds.communicator_options", options));
    }

    /** All platform threads of this module have ended. */
    static void assertNoThreads() {
        List<String> threads = Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("ds.comm.tcp"))
                .toList();
        assertEquals(List.of(), threads);
    }

    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
