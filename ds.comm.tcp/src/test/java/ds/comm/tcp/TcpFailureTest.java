package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.share.Neighbours;
import ds.tck.comm.HostTensors;
import ds.tck.comm.RankThreads;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** Peers that are killed, stopped or mad: the others end in time, and know why. */
@Timeout(50) // below the default deadline of the operations: nothing here may wait for that
@ParameterizedClass
@ValueSource(booleans = {false, true})
class TcpFailureTest {
    @Parameter
    private boolean shared;

    private static final int LARGE = 1 << 20;

    /** More than the rings of three ranks take. */
    private static final long MEMORY_BYTES = 1 << 24;

    @BeforeEach
    void thereIsMemoryToShare() throws IOException {
        assumeTrue(
                !shared
                        || (!Neighbours.thisHost().isEmpty()
                                && Files.getFileStore(Path.of("/dev/shm")).getUsableSpace() >= MEMORY_BYTES),
                "no memory file system here, or a full one");
    }

    /** All ranks but the last do an allReduce, and must fail; the last one misbehaves. */
    private List<String> allReduceWith(int worldSize, Map<String, ?> options, RawPeer.Part mischief) throws Exception {
        int port = Loopback.freePort();
        CompletableFuture<Void> last = RawPeer.playing(worldSize - 1, worldSize, port, shared, peer -> {
            peer.awaitStart(1);
            mischief.play(peer);
        });
        String[] messages = new String[worldSize - 1];
        RankThreads.run(worldSize - 1, rank -> Loopback.open(rank, worldSize, port, options), comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, LARGE);
                messages[comm.rank()] = failure(comm, data);
                assertEquals(
                        messages[comm.rank()].substring(0, 30),
                        failure(comm, data).substring(0, 30));
            }
        });
        last.get();
        return List.of(messages);
    }

    private static String failure(Communicator comm, Tensor data) {
        return assertThrows(
                        CommunicatorException.class,
                        () -> comm.allReduce(data, ReduceOp.SUM, Call.now("gradients of block 3"))
                                .await())
                .getMessage();
    }

    private static void assertNames(String message, String... words) {
        for (String word : words) {
            assertTrue(message.contains(word), "no '" + word + "' in: " + message);
        }
    }

    @Test
    void aRankKilledInTheMiddleOfAnAllReduceIsNamedByAll() throws Exception {
        List<String> messages = allReduceWith(3, Map.of(), peer -> {
            peer.start(OperationKind.ALL_REDUCE, DType.F32, 1, LARGE, "gradients of block 3");
            ByteBuffer half = ByteBuffer.allocate(Header.BYTES + 1000);
            new Header(FrameKind.DATA, OperationKind.ALL_REDUCE, ReduceOp.SUM, DType.F32, 0, 1, 0, 0, 0, 0, 0, 0, 4000)
                    .write(half);
            peer.send(half.rewind().limit(Header.BYTES));
        });
        for (String message : messages) {
            assertNames(message, "lost rank 2 (127.0.0.1:", "gradients of block 3", "#1", "bytes");
        }
    }

    @Test
    void aRankKilledBetweenOperationsIsNamed() throws Exception {
        for (String message : allReduceWith(3, Map.of(), peer -> {})) {
            assertNames(message, "lost rank 2 (127.0.0.1:", "gradients of block 3");
        }
    }

    @Test
    void aRankThatStopsIsNamedAtTheDeadline() throws Exception {
        List<String> messages = allReduceWith(3, Map.of("timeout_seconds", 2), RawPeer::awaitEnd);
        for (String message : messages) {
            assertNames(
                    message,
                    "no progress for 2000 ms",
                    "ranks [2] have not arrived",
                    "gradients of block 3",
                    "no sign of life of ranks [2]:",
                    "timeout_seconds");
        }
    }

    /** Along the ring rank 1 waits for rank 0 only, which waits itself, for one that has stopped. */
    @Test
    void whoWaitsIsNotTakenForWhoHasStopped() throws Exception {
        int port = Loopback.freePort();
        CompletableFuture<Void> last = RawPeer.playing(2, 3, port, shared, peer -> {
            peer.start(OperationKind.ALL_GATHER, DType.F32, 1, 3L * LARGE, "weights");
            peer.awaitEnd();
        });
        String[] messages = new String[2];
        RankThreads.run(2, rank -> Loopback.open(rank, 3, port, Map.of("timeout_seconds", 2)), comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor own = memory.zeros(DType.F32, LARGE);
                Tensor all = memory.zeros(DType.F32, 3L * LARGE);
                messages[comm.rank()] = assertThrows(
                                CommunicatorException.class,
                                () -> comm.allGather(own, all, Call.now("weights"))
                                        .await())
                        .getMessage();
            }
        });
        last.get();
        for (String message : messages) {
            assertNames(message, "no progress for 2000 ms", "no sign of life of ranks [2]:");
        }
    }

    @Test
    void whoIsOnlyBusyElsewhereGivesSignsOfLife() throws Exception {
        int port = Loopback.freePort();
        Map<String, ?> options = Map.of("timeout_seconds", 2, "shared_memory", shared);
        CountDownLatch failed = new CountDownLatch(1);
        RankThreads.run(2, rank -> Loopback.open(rank, 2, port, options), comm -> {
            if (comm.rank() == 0) {
                String message;
                try {
                    message = assertThrows(
                                    CommunicatorException.class,
                                    () -> comm.barrier(Call.now("epoch")).await())
                            .getMessage();
                } finally {
                    failed.countDown();
                }
                assertNames(message, "ranks [1] have not arrived", "all ranks give signs of life");
            } else {
                failed.await();
            }
        });
    }

    @Test
    void aRankThatStopsHalfWayIsNamedAtTheDeadline() throws Exception {
        List<String> messages = allReduceWith(2, Map.of("timeout_seconds", 2), peer -> {
            peer.start(OperationKind.ALL_REDUCE, DType.F32, 1, LARGE, "gradients of block 3");
            peer.awaitEnd();
        });
        assertNames(
                messages.getFirst(),
                "waits for data of ranks [1]",
                "received 0 of",
                shared ? "sent 983040 of" : "sent 2097152 of"); // into a ring of 1 MiB, and into the socket
    }

    @Test
    void garbageInsteadOfAFrameEndsTheJob() throws Exception {
        List<String> messages = allReduceWith(2, Map.of(), peer -> {
            String request = "GET / HTTP/1.1\r\nHost: rank zero of a training job\r\n\r\n" + " ".repeat(Header.BYTES);
            peer.send(ByteBuffer.wrap(request.getBytes(StandardCharsets.UTF_8)));
            peer.awaitEnd();
        });
        assertNames(messages.getFirst(), "rank 1 (127.0.0.1:", "bad frame", "magic");
    }

    @Test
    void framesThatNobodyExpectsEndTheJob() throws Exception {
        List<Header> wrong = List.of(
                new Header(
                        FrameKind.DATA, OperationKind.ALL_REDUCE, ReduceOp.SUM, DType.F32, 0, 9, 0, 0, 0, 0, 0, 0, 8),
                new Header(FrameKind.DATA, OperationKind.BARRIER, ReduceOp.SUM, DType.F32, 5, 0, 0, 0, 0, 0, 0, 0, 8),
                new Header(FrameKind.CREDIT, OperationKind.SEND, ReduceOp.SUM, DType.F32, 0, 3, 1, 0, 0, 0, 0, 0, 0),
                new Header(
                        FrameKind.START, OperationKind.BARRIER, ReduceOp.SUM, DType.I32, 0, 70, 0, 0, 0, 0, 0, 0, 0));
        for (Header header : wrong) {
            List<String> messages = allReduceWith(2, Map.of(), peer -> {
                ByteBuffer frame = ByteBuffer.allocate(Header.BYTES);
                header.write(frame);
                peer.send(frame.flip());
                peer.awaitEnd();
            });
            assertNames(messages.getFirst(), "rank 1 (127.0.0.1:", "bad frame", "nothing here expects");
        }
    }

    @AfterEach
    void nothingIsLeftRunning() {
        Loopback.assertNoThreads();
    }
}
