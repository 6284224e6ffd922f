package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.comm.Call;
import ds.api.comm.CommunicatorException;
import ds.api.comm.Rendezvous;
import ds.api.comm.Secret;
import ds.api.spi.Availability;
import ds.api.spi.CommunicatorProvider;
import ds.api.spi.ProviderException;
import ds.api.spi.Providers;
import ds.tck.comm.RankThreads;
import java.io.IOException;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How a job forms, who is not let in, and what everyone is told when it does not form. */
@Timeout(60)
class RendezvousTest {
    /** For ranks that do not all come: as long as a slow machine takes for those that do. */
    private static final Map<String, ?> SHORT = Map.of("timeout_seconds", 5);

    private static Rendezvous place(int rank, int worldSize, int port, Secret secret) {
        return new Rendezvous(rank, worldSize, rank, "127.0.0.1", port, Optional.ofNullable(secret));
    }

    /** Why a rank does not get in, in another thread. */
    private static CompletableFuture<String> refusal(Rendezvous rendezvous) {
        return CompletableFuture.supplyAsync(
                () -> assertThrows(
                                CommunicatorException.class,
                                () -> Loopback.open(rendezvous, SHORT).close())
                        .getMessage(),
                Loopback.THREADS);
    }

    private static void assertNames(String message, String... words) {
        for (String word : words) {
            assertTrue(message.contains(word), "no '" + word + "' in: " + message);
        }
    }

    @Test
    void itIsFoundByItsName() {
        CommunicatorProvider provider = Providers.communicators().get("tcp");
        assertEquals(Availability.Available.class, provider.availability().getClass());
    }

    @Test
    void aWrongSecretIsToldToBothSides() throws Exception {
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET));
        var one = refusal(place(1, 2, port, Secret.of("another secret of 16 bytes or more")));
        assertNames(one.get(), "rank 1", "does not know this job's secret", "DS_SECRET");
        assertNames(zero.get(), "ranks [1] of 2 have not arrived", "1 connection failed authentication");
    }

    @Test
    void whoSendsTheListenersProofBackIsNotLetIn() throws Exception {
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET));
        try (Socket mirror = Loopback.connect(port, zero)) {
            ByteBuffer hello =
                    ByteBuffer.allocate(64).putLong(0x44535443502d2d31L).putInt(3);
            hello.putInt(2).putInt(1).putInt(0).putInt(0).putInt(1);
            write(mirror, hello.array());
            byte[] welcome = mirror.getInputStream().readNBytes(56);
            assertEquals(2, ByteBuffer.wrap(welcome).getInt(12));
            write(mirror, mirror.getInputStream().readNBytes(32));
            byte[] verdict = mirror.getInputStream().readNBytes(4);
            assertEquals(2, ByteBuffer.wrap(verdict).getInt(), "wrong secret");
            assertEquals(-1, mirror.getInputStream().read());
        }
        assertNames(zero.get(), "ranks [1]", "1 connection failed authentication");
    }

    @Test
    void aMissingSecretIsToldToBothSides() throws Exception {
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET));
        var one = refusal(place(1, 2, port, null));
        assertNames(one.get(), "rank 0 (127.0.0.1:" + port + ") has a secret and this rank has none", "DS_SECRET");
        assertNames(zero.get(), "ranks [1]", "failed authentication");
    }

    @Test
    void withoutASecretOnlyLoopbackIsListenedOn() throws Exception {
        Rendezvous open = new Rendezvous(0, 2, 0, "0.0.0.0", Loopback.freePort(), Optional.empty());
        assertNames(refusal(open).get(), "0.0.0.0", "not a loopback address", "ds launch", "DS_SECRET");
        int port = Loopback.freePort();
        RankThreads.run(
                2,
                rank -> Loopback.open(place(rank, 2, port, null), Map.of()),
                comm -> comm.barrier(Call.now("in")).await());
    }

    @Test
    void strangersDoNotKeepTheJobFromForming() throws Exception {
        int port = Loopback.freePort();
        var strangers = CompletableFuture.supplyAsync(() -> strangers(port), Loopback.THREADS);
        RankThreads.run(
                2,
                rank -> {
                    if (rank == 1) {
                        assertEquals(150, strangers.get().size()); // they were first
                    }
                    return Loopback.open(rank, 2, port, Map.of());
                },
                comm -> {
                    comm.barrier(Call.now("formed")).await();
                    assertThrows(
                            ConnectException.class, () -> new Socket(InetAddress.getLoopbackAddress(), port).close());
                });
        for (Socket stranger : strangers.get()) {
            stranger.close();
        }
    }

    /** More than there are places: some say what does not belong here, some begin well and stop, some say nothing. */
    private static List<Socket> strangers(int port) {
        String request = "GET / HTTP/1.1\r\nHost: this is longer than the first message of a rank\r\n\r\n";
        List<Socket> strangers = new ArrayList<>();
        for (int i = 0; i < 150; i++) {
            Socket stranger = Loopback.connect(port, new CompletableFuture<>());
            strangers.add(stranger);
            if (i % 3 == 0) {
                write(stranger, request.getBytes(StandardCharsets.UTF_8));
            } else if (i % 3 == 1) {
                write(stranger, new byte[] {'D', 'S', 'T', 'C', 'P', '-', '-', '1', 0, 0});
            }
        }
        return strangers;
    }

    private static void write(Socket socket, byte[] bytes) {
        try {
            OutputStream out = socket.getOutputStream();
            out.write(bytes);
            out.flush();
        } catch (IOException e) {
            // Thrown out already: that is what it deserves.
        }
    }

    @Test
    void aPortInUseIsNamedWithTheRemedy() throws Exception {
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            int port = other.getLocalPort();
            String message = refusal(place(0, 2, port, Loopback.SECRET)).get();
            assertNames(message, "127.0.0.1:" + port, "in use", "MASTER_PORT");
        }
    }

    @Test
    void aRankThatNeverComesIsNamedByAll() throws Exception {
        int port = Loopback.freePort();
        var zero = refusal(place(0, 4, port, Loopback.SECRET));
        var one = refusal(place(1, 4, port, Loopback.SECRET));
        assertNames(zero.get(), "rank 0", "ranks [2, 3] of 4 have not arrived within 5000 ms", "MASTER_PORT = " + port);
        assertNames(one.get(), "rank 1: the job does not form: rank 0: ranks [2, 3] of 4 have not arrived");
    }

    @Test
    void aMissingRankZeroIsNamed() throws Exception {
        int port = Loopback.freePort();
        assertNames(refusal(place(1, 2, port, Loopback.SECRET)).get(), "rank 0 does not listen", "127.0.0.1:" + port);
    }

    @Test
    void twoProcessesOfOneRankAreNamed() throws Exception {
        int port = Loopback.freePort();
        var zero = refusal(place(0, 3, port, Loopback.SECRET));
        var one = refusal(place(1, 3, port, Loopback.SECRET));
        var two = refusal(place(1, 3, port, Loopback.SECRET));
        assertNames(zero.get(), "two processes have RANK = 1");
        assertNames(one.get() + two.get(), "two processes were started with RANK = 1", "the job does not form");
    }

    @Test
    void anotherWorldSizeIsNamedOnBothSides() throws Exception {
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET));
        var one = refusal(place(1, 3, port, Loopback.SECRET));
        assertNames(zero.get(), "rank 1", "WORLD_SIZE = 3, this rank 2");
        assertNames(one.get(), "rank 0", "WORLD_SIZE = 2, this rank 3");
    }

    @Test
    void anotherVersionIsNamed() throws Exception {
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET));
        try (Socket future = Loopback.connect(port, zero)) {
            ByteBuffer hello =
                    ByteBuffer.allocate(64).putLong(0x44535443502d2d31L).putInt(99);
            write(future, hello.array());
            byte[] welcome = future.getInputStream().readNBytes(12);
            assertEquals(3, ByteBuffer.wrap(welcome).getInt(8));
            assertNames(zero.get(), "1 connection spoke protocol version 99, not 3");
        }
    }

    @Test
    void aCallerOfAnotherVersionIsTold() throws Exception {
        try (ServerSocket future = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            var one = refusal(place(1, 2, future.getLocalPort(), Loopback.SECRET));
            try (Socket caller = future.accept()) {
                ByteBuffer welcome =
                        ByteBuffer.allocate(88).putLong(0x44535443502d2d31L).putInt(99);
                write(caller, welcome.array());
                assertNames(one.get(), "protocol version 99, this rank 3", "same release");
            }
        }
    }

    @Test
    void anUnknownHostIsNamed() throws ExecutionException, InterruptedException {
        String host =
                "no..such.host"; // no name at all: no server is asked, which may take its time, or know every name
        Rendezvous nowhere = new Rendezvous(0, 2, 0, host, 29500, Optional.of(Loopback.SECRET));
        assertNames(refusal(nowhere).get(), "MASTER_ADDR = " + host, "no such host");
    }

    @Test
    void whereToListenCanBeConfigured() throws Exception {
        int port = Loopback.freePort();
        RankThreads.run(
                3,
                rank -> Loopback.open(rank, 3, port, Map.of("listen_host", "127.0.0.1")),
                comm -> comm.barrier(Call.now("in")).await());
    }

    @Test
    void wrongOptionsAreNamed() {
        for (var options : List.of(
                Map.of("timeout_second", 1),
                Map.of("timeout_seconds", 0),
                Map.of("inbox_bytes", -1),
                Map.of("congestion_control", "nobody"))) {
            ProviderException e =
                    assertThrows(ProviderException.class, () -> Loopback.open(Rendezvous.alone(), options));
            assertNames(e.getMessage(), options.keySet().iterator().next());
        }
    }

    @AfterEach
    void nothingIsLeftRunning() {
        Loopback.assertNoThreads();
    }
}
