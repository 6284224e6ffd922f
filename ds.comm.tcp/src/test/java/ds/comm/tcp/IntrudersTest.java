package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.api.comm.Rendezvous;
import ds.tck.comm.HostTensors;
import ds.tck.comm.RankThreads;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A port that everybody attacks while ranks meet, and while they work: they do as if nobody had. */
@Timeout(60)
class IntrudersTest {
    private static final int RANKS = 3;
    private static final int HALF_OPEN = 1000;
    private static final int HELLO_BYTES = 64;

    /** Thousand connections that say nothing more, and ever new ones with all that a scanner or a mad rank says. */
    private static final class Attack implements AutoCloseable {
        private final InetSocketAddress target;
        private final AtomicBoolean over = new AtomicBoolean();
        private final List<Socket> halfOpen = new ArrayList<>();
        private final CompletableFuture<Integer> attacks;
        private final CompletableFuture<Void> flooded = new CompletableFuture<>();

        Attack(int port) {
            target = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
            attacks = CompletableFuture.supplyAsync(this::attack, Loopback.THREADS)
                    .whenComplete((_, _) -> flooded.complete(null)); // who waits for it goes on, and end() says why
        }

        private int attack() {
            Random random = new Random(7);
            int connected = 0;
            while (!over.get()) {
                Socket socket = new Socket();
                try {
                    socket.connect(target, 1000);
                    connected++;
                    if (halfOpen.size() < HALF_OPEN) {
                        halfOpen.add(socket);
                        socket.getOutputStream().write('D');
                    } else {
                        flooded.complete(null);
                        say(socket, random);
                    }
                } catch (IOException e) {
                    close(socket); // refused, or thrown out
                }
            }
            return connected;
        }

        private static void say(Socket socket, Random random) throws IOException {
            try (socket) {
                OutputStream out = socket.getOutputStream();
                switch (random.nextInt(5)) {
                    case 0 -> {} // a scanner of ports
                    case 1 -> out.write("GET / HTTP/1.1\r\n\r\n".repeat(10).getBytes(StandardCharsets.US_ASCII));
                    case 2 -> out.write(new byte[1 << 20]);
                    case 3 -> out.write(new byte[] {22, 3, 1, (byte) 255, (byte) 255, 1, 0, (byte) 255, (byte) 255});
                    default -> wrongSecret(socket, out);
                }
            }
        }

        private static void wrongSecret(Socket socket, OutputStream out) throws IOException {
            out.write(hello(1, RANKS).array());
            socket.setSoTimeout(1000);
            if (socket.getInputStream().readNBytes(56 + 32).length == 88) {
                out.write(new byte[32]);
                byte[] verdict = socket.getInputStream().readNBytes(4); // fewer: thrown out to make room
                assertTrue(verdict.length < 4 || ByteBuffer.wrap(verdict).getInt() == 2, "not let in");
            }
        }

        private static void close(Socket socket) {
            try {
                socket.close();
            } catch (IOException e) {
                // It is closed then.
            }
        }

        /** Waits until all those that say nothing are connected. */
        void awaitFlood() {
            flooded.join();
        }

        /** {@return how many connections came about} */
        int end() {
            over.set(true);
            return attacks.join();
        }

        @Override
        public void close() {
            end();
            halfOpen.forEach(Attack::close);
        }
    }

    private static ByteBuffer hello(int rank, int worldSize) {
        ByteBuffer hello =
                ByteBuffer.allocate(HELLO_BYTES).putLong(0x44535443502d2d31L).putInt(3);
        return hello.putInt(worldSize)
                .putInt(rank)
                .putInt(0)
                .putInt(0)
                .putInt(1)
                .rewind();
    }

    private static void sums(Communicator comm) {
        try (HostTensors memory = new HostTensors()) {
            Tensor data = memory.zeros(DType.I32, 1000);
            for (int step = 0; step < 50; step++) {
                data.host().setAtIndex(ValueLayout.JAVA_INT, 999, step + comm.rank());
                comm.allReduce(data, ReduceOp.SUM, Call.now("step")).await();
                assertEquals(RANKS * step + 3, data.host().getAtIndex(ValueLayout.JAVA_INT, 999));
            }
        }
    }

    @Test
    void aFloodKeepsNobodyFromMeetingAndWorking() throws Exception {
        int port = Loopback.freePort();
        try (Attack attack = new Attack(port)) {
            RankThreads.run(
                    RANKS,
                    rank -> {
                        if (rank > 0) {
                            attack.awaitFlood(); // rank 0 is under attack before anybody else comes
                        }
                        return Loopback.open(rank, RANKS, port, Map.of());
                    },
                    IntrudersTest::sums);
            int connections = attack.end();
            assertTrue(connections > HALF_OPEN, "only " + connections + " connections");
        }
    }

    /** What a rank has once said to prove itself proves nothing to anybody else, nor later. */
    @Test
    void whatWasHeardOnceIsWorthNothing() throws Exception {
        int port = Loopback.freePort();
        byte[] said = new byte[HELLO_BYTES + 32];
        try (ServerSocket between = new ServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            var overheard = CompletableFuture.runAsync(() -> overhear(between, port, said), Loopback.THREADS);
            RankThreads.run(
                    2,
                    rank -> Loopback.open(rank, 2, rank == 0 ? port : between.getLocalPort(), Map.of()),
                    comm -> comm.barrier(Call.now("in")).await());
            overheard.join();
        }
        int again = Loopback.freePort();
        var zero = CompletableFuture.supplyAsync(
                () -> assertThrows(
                                CommunicatorException.class,
                                () -> Loopback.open(place(again), Map.of("timeout_seconds", 5))
                                        .close())
                        .getMessage(),
                Loopback.THREADS);
        try (Socket replay = Loopback.connect(again, zero)) {
            replay.getOutputStream().write(said);
            byte[] answer = replay.getInputStream().readNBytes(56 + 32 + 4);
            assertEquals(2, ByteBuffer.wrap(answer).getInt(88), "wrong secret");
        }
        assertTrue(zero.get().contains("1 connection failed authentication"), zero.get());
    }

    private static Rendezvous place(int port) {
        return new Rendezvous(0, 2, 0, "127.0.0.1", port, Optional.of(Loopback.SECRET));
    }

    /** Passes everything on, and keeps what the caller says first. */
    private static void overhear(ServerSocket between, int port, byte[] said) {
        try (Socket caller = between.accept();
                Socket listener = Loopback.connect(port, new CompletableFuture<>())) {
            var back = CompletableFuture.runAsync(() -> pass(listener, caller, new byte[0]), Loopback.THREADS);
            pass(caller, listener, said);
            back.join();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static void pass(Socket from, Socket to, byte[] kept) {
        try {
            InputStream in = from.getInputStream();
            byte[] bytes = new byte[1 << 14];
            int keeping = 0;
            for (int n = in.read(bytes); n >= 0; n = in.read(bytes)) {
                int keep = Math.min(n, kept.length - keeping);
                System.arraycopy(bytes, 0, kept, keeping, keep);
                keeping += keep;
                to.getOutputStream().write(bytes, 0, n);
            }
            to.shutdownOutput();
        } catch (IOException e) {
            // An end without a word ends the other direction too.
        }
    }

    @AfterEach
    void nothingIsLeftRunning() {
        Loopback.assertNoThreads();
    }
}
