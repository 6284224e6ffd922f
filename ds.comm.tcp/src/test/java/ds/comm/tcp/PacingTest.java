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
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.tck.comm.HostTensors;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** Streams that meet at a rank are told how fast to come, and keep to it where the system can be told. */
@Timeout(60)
class PacingTest {
    private static final Map<String, ?> SOCKETS = Map.of("shared_memory", false);
    private static final int PIECES = 32;
    private static final long ELEMENTS = (long) PIECES * Header.PIECE_BYTES / Float.BYTES;
    private static final long FEW_ELEMENTS = 8L * Header.PIECE_BYTES / Float.BYTES;

    /** The system lets bursts pass, and what was sent before this rank knew how fast; no more. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void nothingComesMuchFasterThanItWasAskedFor() throws Exception {
        int port = Loopback.freePort();
        int kibPerSecond = 2048;
        int piecesAtOnce = 8; // early ones, those that wait in the socket, and two segments of loopback, 64 KiB each
        CompletableFuture<Void> receiver = RawPeer.playing(1, 2, port, false, peer -> {
            long begin = System.nanoTime();
            peer.start(OperationKind.BROADCAST, DType.F32, 1, ELEMENTS, "weights", kibPerSecond);
            assertNoneComesTooSoon(peer, begin, piecesAtOnce, kibPerSecond);
        });
        try (HostTensors memory = new HostTensors();
                Communicator comm = Loopback.open(0, 2, port, SOCKETS)) {
            comm.broadcast(memory.zeros(DType.F32, ELEMENTS), 0, Call.now("weights"))
                    .await();
            receiver.get();
        }
    }

    /** @param piecesAtOnce that may come at any time */
    private static void assertNoneComesTooSoon(RawPeer peer, long begin, int piecesAtOnce, int kibPerSecond)
            throws Exception {
        for (int piece = 0; piece < PIECES; piece++) {
            assertEquals(
                    (long) piece * Header.PIECE_BYTES,
                    peer.awaitFrame(FrameKind.DATA, 1).value());
            double due = (double) (piece - piecesAtOnce) * (Header.PIECE_BYTES >> 10) / kibPerSecond;
            double seconds = (System.nanoTime() - begin) * 1e-9;
            assertTrue(seconds > due, "piece " + piece + " after " + seconds + " s, due at " + due);
        }
    }

    /** First 8 MiB a second, then 2. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void whatACreditAsksForHoldsFromThenOn() throws Exception {
        int port = Loopback.freePort();
        int kibPerSecond = 2048;
        int granted = 8; // at first: no more come, however late the CREDIT is
        int piecesBefore = granted + 4; // those that wait in the socket, and two segments of loopback
        CompletableFuture<Void> receiver = RawPeer.playing(1, 2, port, false, peer -> {
            OperationKind kind = OperationKind.REDUCE_SCATTER;
            peer.start(kind, DType.F32, 1, 2 * ELEMENTS, "gradients", granted, 4 * kibPerSecond);
            peer.awaitFrame(FrameKind.START, 1);
            long begin = System.nanoTime();
            peer.credit(kind, 1, PIECES * (long) Header.PIECE_BYTES, kibPerSecond);
            assertNoneComesTooSoon(peer, begin, piecesBefore, kibPerSecond);
        });
        try (HostTensors memory = new HostTensors();
                Communicator comm = Loopback.open(0, 2, port, SOCKETS)) {
            assertThrows(CommunicatorException.class, () -> reduceScatter(comm, memory, ELEMENTS, "gradients"));
            receiver.get();
        }
    }

    /** Two send at once, a piece every 20 ms each: they are asked for half as much again as they have reached, not for all they can. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void whoIsSentBySeveralAsksForWhatHasComeAndSomeMore() throws Exception {
        int port = Loopback.freePort();
        RawPeer.Part sender = peer -> {
            peer.start(OperationKind.GATHER, DType.F32, 1, 3 * ELEMENTS, "parts");
            assertEquals(0, peer.awaitFrame(FrameKind.START, 1).pace(), "nothing is known yet");
            for (int piece = 0; piece < PIECES; piece++) {
                Thread.sleep(20);
                peer.data(OperationKind.GATHER, 1, (long) piece * Header.PIECE_BYTES);
            }
            int pace = peer.awaitFrame(FrameKind.START, 2).pace();
            int reached = (Header.PIECE_BYTES >> 10) * 1000 / 20;
            int most =
                    reached * 2; // half as much again, and a piece of each more in a window of at least eight of each
            assertTrue(pace > 0 && pace <= most, "asks for " + pace + " KiB/s, at most " + most);
        };
        CompletableFuture<Void> first = RawPeer.playing(1, 3, port, false, sender);
        CompletableFuture<Void> second = RawPeer.playing(2, 3, port, false, sender);
        try (HostTensors memory = new HostTensors();
                Communicator comm = Loopback.open(0, 3, port, SOCKETS)) {
            Tensor own = memory.zeros(DType.F32, ELEMENTS);
            Tensor all = memory.zeros(DType.F32, 3 * ELEMENTS);
            comm.gather(own, all, 0, Call.now("parts")).await();
            assertThrows(
                    CommunicatorException.class,
                    () -> comm.gather(own, all, 0, Call.now("parts")).await());
            first.get();
            second.get();
        }
    }

    /** Of eight pieces one has sent four and the other one: they are to go on so that they end at once, as fast together as before. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void whoIsBehindIsAskedForMoreThanWhoIsAhead() throws Exception {
        int port = Loopback.freePort();
        CompletableFuture<Void> aheadHasCome = new CompletableFuture<>();
        CompletableFuture<int[]> ahead = new CompletableFuture<>();
        CompletableFuture<int[]> behind = new CompletableFuture<>();
        CompletableFuture<Void> first = RawPeer.playing(1, 3, port, false, peer -> {
            int start = beginAfterALesson(peer);
            for (int piece = 0; piece < 4; piece++) {
                peer.data(OperationKind.REDUCE_SCATTER, 2, (long) piece * Header.PIECE_BYTES);
            }
            ByteBuffer question = ByteBuffer.allocate(Header.BYTES);
            Header.alive(true).write(question);
            peer.send(question.flip());
            peer.awaitFrame(FrameKind.ALIVE, 0); // whatever was sent before has been read
            aheadHasCome.complete(null);
            ahead.complete(
                    new int[] {start, peer.awaitFrame(FrameKind.CREDIT, 2).pace()});
            behind.get(20, TimeUnit.SECONDS); // whose peer must not be lost before
        });
        CompletableFuture<Void> second = RawPeer.playing(2, 3, port, false, peer -> {
            int start = beginAfterALesson(peer);
            aheadHasCome.get(20, TimeUnit.SECONDS);
            peer.data(OperationKind.REDUCE_SCATTER, 2, 0);
            behind.complete(
                    new int[] {start, peer.awaitFrame(FrameKind.CREDIT, 2).pace()});
            ahead.get(20, TimeUnit.SECONDS);
        });
        try (HostTensors memory = new HostTensors();
                Communicator comm = Loopback.open(0, 3, port, SOCKETS)) {
            reduceScatter(comm, memory, ELEMENTS, "lesson");
            assertThrows(CommunicatorException.class, () -> reduceScatter(comm, memory, FEW_ELEMENTS, "parts"));
            first.get();
            second.get();
        }
        int together = ahead.get()[0] + behind.get()[0];
        assertTrue(together > 0, "asked for nothing");
        assertEquals(together / 2.0, ahead.get()[0], 1, "at first");
        assertEquals(together * 4 / 11.0, ahead.get()[1], 2, "four pieces are missing");
        assertEquals(together * 7 / 11.0, behind.get()[1], 2, "seven pieces are missing");
    }

    private static void reduceScatter(Communicator comm, HostTensors memory, long shard, String label) {
        Tensor all = memory.zeros(DType.F32, comm.worldSize() * shard);
        comm.reduceScatter(all, memory.zeros(DType.F32, shard), ReduceOp.SUM, Call.now(label))
                .await();
    }

    /** {@return the pace asked for in a second operation} The first one teaches what the link carries. */
    private static int beginAfterALesson(RawPeer peer) throws Exception {
        OperationKind kind = OperationKind.REDUCE_SCATTER;
        peer.start(kind, DType.F32, 1, 3 * ELEMENTS, "lesson");
        peer.awaitFrame(FrameKind.START, 1); // before, few pieces may come
        for (int piece = 0; piece < PIECES; piece++) {
            Thread.sleep(20);
            peer.data(kind, 1, (long) piece * Header.PIECE_BYTES);
        }
        peer.start(kind, DType.F32, 2, 3 * FEW_ELEMENTS, "parts");
        return peer.awaitFrame(FrameKind.START, 2).pace();
    }

    @AfterEach
    void nothingIsLeftRunning() {
        Loopback.assertNoThreads();
    }
}
