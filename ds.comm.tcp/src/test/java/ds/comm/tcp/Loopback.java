package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import ds.api.comm.Communicator;
import ds.api.comm.Rendezvous;
import ds.api.comm.Secret;
import ds.api.spi.ProviderOptions;
import ds.tck.comm.RankBody;
import ds.tck.comm.RankThreads;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;

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

    /** {@return a connection to a port as soon as somebody listens there, unless that one has given up} */
    static Socket connect(int port, Future<?> listener) {
        while (true) {
            try {
                return new Socket(InetAddress.getLoopbackAddress(), port);
            } catch (ConnectException e) {
                assertFalse(listener.isDone(), "nobody listens any more");
                LockSupport.parkNanos(2_000_000);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
