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
import ds.api.comm.Work;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.tck.comm.HostTensors;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A rank that has begun sends so much of its operand to one that has not, and no more; it lies there until it is needed. */
@Timeout(120)
class EarlyBytesTest {
    private static final Map<String, ?> SOCKETS = Map.of("shared_memory", false);
    private static final int PIECES = 4; // that may come early between two ranks
    private static final int EARLY = PIECES * Header.PIECE_BYTES / Float.BYTES;

    /** Less than may come early, as much, and more, with an end that is no whole piece. */
    @ParameterizedTest
    @CsvSource({
        "ALL_GATHER, 40000",
        "ALL_GATHER, 65536",
        "ALL_GATHER, 300001",
        "REDUCE_SCATTER, 40000",
        "REDUCE_SCATTER, 300001",
        "ALL_REDUCE, 40000",
        "ALL_REDUCE, 300001",
        "ALL_TO_ALL, 65536",
        "ALL_TO_ALL, 300001"
    })
    void whoIsLateFindsWhatHasBeenSent(OperationKind operation, int shard) throws Exception {
        Communicator[] ranks = new Communicator[2];
        CountDownLatch joined = new CountDownLatch(2);
        Loopback.run(2, SOCKETS, comm -> {
            int rank = comm.rank();
            ranks[rank] = comm;
            joined.countDown();
            joined.await();
            try (HostTensors memory = new HostTensors()) {
                for (int again = 0; again < 3; again++) { // with each of them late, in memory that has been used
                    if (rank == again % 2) {
                        Communicator other = ranks[1 - rank];
                        long sent = comm.traffic().elements(); // as many as the other, by the calls before
                        while (other.traffic().elements() < sent + Math.min(shard, EARLY)) {
                            Thread.sleep(1);
                        }
                    }
                    Tensor whole = memory.zeros(DType.F32, 2L * shard);
                    Tensor own = memory.zeros(DType.F32, shard);
                    Tensor exchanged = memory.zeros(DType.F32, 2L * shard);
                    for (long i = 0; i < 2L * shard; i++) {
                        HostTensors.set(whole, i, value(rank, i));
                        HostTensors.set(own, i % shard, value(rank, i % shard));
                    }
                    check(operation, comm, new Operands(whole, own, exchanged));
                }
            }
        });
    }

    private static double value(int rank, long i) {
        return (i + 1) % 4093 + 4096.0 * rank;
    }

    private record Operands(Tensor whole, Tensor own, Tensor exchanged) {}

    private static void check(OperationKind operation, Communicator comm, Operands operands) {
        int rank = comm.rank();
        Call call = Call.now("early");
        Tensor whole = operands.whole();
        Tensor own = operands.own();
        Work work = switch (operation) {
            case ALL_GATHER -> comm.allGather(own, whole, call);
            case REDUCE_SCATTER -> comm.reduceScatter(whole, own, ReduceOp.SUM, call);
            case ALL_REDUCE -> comm.allReduce(whole, ReduceOp.SUM, call);
            default -> comm.allToAll(whole, operands.exchanged(), call);
        };
        work.await();
        long shard = own.elements();
        for (long i = 0; i < 2 * shard; i++) {
            int from = (int) (i / shard);
            long mine = rank * shard + i % shard;
            double expected = switch (operation) {
                case ALL_GATHER -> value(from, i % shard);
                case REDUCE_SCATTER -> value(0, mine) + value(1, mine);
                case ALL_REDUCE -> value(0, i) + value(1, i);
                default -> value(from, mine);
            };
            double found = switch (operation) {
                case ALL_GATHER, ALL_REDUCE -> HostTensors.get(whole, i);
                case REDUCE_SCATTER -> HostTensors.get(own, i % shard);
                default -> HostTensors.get(operands.exchanged(), i);
            };
            assertEquals(expected, found, operation + ", element " + i);
        }
    }

    /** This rank begins in the middle of a piece. */
    @Test
    void aPieceMayBeHalfThere() throws Exception {
        int port = Loopback.freePort();
        CountDownLatch half = new CountDownLatch(1);
        CompletableFuture<Void> sender = RawPeer.playing(1, 2, port, false, peer -> {
            peer.start(OperationKind.ALL_GATHER, DType.F32, 1, 2L * EARLY, "halves");
            peer.send(RawPeer.piece(OperationKind.ALL_GATHER, 1, 0, (byte) 1));
            ByteBuffer second = RawPeer.piece(OperationKind.ALL_GATHER, 1, Header.PIECE_BYTES, (byte) 2);
            peer.send(second.slice(0, Header.PIECE_BYTES / 2));
            half.countDown();
            peer.awaitFrame(FrameKind.START, 1);
            peer.send(second.position(Header.PIECE_BYTES / 2));
            for (int piece = 2; piece < PIECES; piece++) {
                peer.send(RawPeer.piece(
                        OperationKind.ALL_GATHER, 1, (long) piece * Header.PIECE_BYTES, (byte) (piece + 1)));
            }
            peer.awaitEnd();
        });
        try (HostTensors memory = new HostTensors();
                Communicator comm = Loopback.open(0, 2, port, SOCKETS)) {
            half.await();
            Tensor all = memory.zeros(DType.F32, 2L * EARLY);
            comm.allGather(memory.zeros(DType.F32, EARLY), all, Call.now("halves"))
                    .await();
            for (int piece = 0; piece < PIECES; piece++) {
                for (int i = 0; i < Header.PIECE_BYTES; i += 997) {
                    byte found =
                            all.host().get(ValueLayout.JAVA_BYTE, (long) (PIECES + piece) * Header.PIECE_BYTES + i);
                    assertEquals(piece + 1, found, "byte " + i + " of piece " + piece);
                }
            }
        }
        sender.get();
    }

    @Test
    void whoSendsMoreThanItMayEndsTheJob() throws Exception {
        int port = Loopback.freePort();
        CountDownLatch joined = new CountDownLatch(1); // what comes before would end the joining instead
        CompletableFuture<Void> sender = RawPeer.playing(1, 2, port, false, peer -> {
            joined.await();
            peer.start(OperationKind.ALL_GATHER, DType.F32, 1, 4L * EARLY, "too much");
            for (int piece = 0; piece <= PIECES; piece++) {
                peer.data(OperationKind.ALL_GATHER, 1, (long) piece * Header.PIECE_BYTES);
            }
            peer.awaitEnd();
        });
        try (Communicator comm = Loopback.open(0, 2, port, SOCKETS)) {
            joined.countDown();
            sender.get(); // which this rank has ended
            Work work = comm.barrier(Call.now("too late"));
            String message =
                    assertThrows(CommunicatorException.class, work::await).getMessage();
            assertTrue(message.contains("rank 1") && message.contains("nothing here expects"), message);
        }
    }

    /** A piece too many is half there when this rank begins an operation that needs one piece, and ends it. */
    @Test
    void whatIsLeftOverIsNotTakenForTheNextOperation() throws Exception {
        int port = Loopback.freePort();
        long elements = Header.PIECE_BYTES / Float.BYTES;
        CountDownLatch half = new CountDownLatch(1);
        CompletableFuture<Void> sender = RawPeer.playing(1, 2, port, false, peer -> {
            peer.start(OperationKind.ALL_GATHER, DType.F32, 1, 2 * elements, "one piece");
            peer.send(RawPeer.piece(OperationKind.ALL_GATHER, 1, 0, (byte) 1));
            ByteBuffer surplus = RawPeer.piece(OperationKind.ALL_GATHER, 1, Header.PIECE_BYTES, (byte) 2);
            peer.send(surplus.slice(0, Header.PIECE_BYTES / 2));
            half.countDown();
            peer.awaitFrame(FrameKind.START, 2);
            peer.send(surplus.position(Header.PIECE_BYTES / 2));
            peer.start(OperationKind.BARRIER, DType.I32, 2, 0, "between");
            peer.start(OperationKind.ALL_GATHER, DType.F32, 3, 2 * elements, "one piece"); // which does not come
            peer.awaitEnd();
        });
        try (HostTensors memory = new HostTensors();
                Communicator comm = Loopback.open(0, 2, port, SOCKETS)) {
            half.await();
            Tensor own = memory.zeros(DType.F32, elements);
            Tensor all = memory.zeros(DType.F32, 2 * elements);
            String message = assertThrows(CommunicatorException.class, () -> {
                        comm.allGather(own, all, Call.now("one piece")).await();
                        comm.barrier(Call.now("between")).await();
                        comm.allGather(own, all, Call.now("one piece")).await();
                    })
                    .getMessage();
            assertTrue(message.contains("nothing here expects"), message);
        }
        sender.get();
    }

    /** Whoever goes on in a group that another has left is told so, though it had sent something before it knew. */
    @Test
    void whatIsSentToAGroupThatWasLeftIsNoBadFrame() throws Exception {
        for (int again = 0; again < 100; again++) {
            CountDownLatch left = new CountDownLatch(again % 2);
            Loopback.run(2, SOCKETS, comm -> {
                Communicator part = comm.split(0, comm.rank());
                part.barrier(Call.now("both")).await();
                try (HostTensors memory = new HostTensors()) {
                    if (comm.rank() == 0) {
                        part.close();
                        left.countDown();
                    } else {
                        left.await();
                    }
                    Tensor data = memory.zeros(DType.F32, 1 << 20);
                    String message = assertThrows(
                                    CommunicatorException.class,
                                    () -> (comm.rank() == 0
                                                    ? comm.barrier(Call.now("later"))
                                                    : part.allReduce(data, ReduceOp.SUM, Call.now("one too many")))
                                            .await())
                            .getMessage();
                    assertTrue(message.contains("has left the group"), message);
                }
            });
        }
    }

    @AfterEach
    void leavesNoThread() {
        Loopback.assertNoThreads();
    }
}
