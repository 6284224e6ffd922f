package ds.tck.comm;

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
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a group of ranks does when its ranks disagree, give up or leave: every rank learns the cause, and none waits on. */
public abstract class CommunicatorFailureContract {
    /** For subclasses. */
    protected CommunicatorFailureContract() {}

    /**
     * Opens a group and runs {@code body} on every rank, each on a thread of its own, as {@link RankThreads#run} does.
     *
     * @throws Exception what the first failing rank has thrown
     */
    protected abstract void run(int worldSize, RankBody body) throws Exception;

    @ParameterizedTest
    @ValueSource(ints = {3, 100_000})
    void anotherOperationIsNamedOnEveryRank(int count) throws Exception {
        run(3, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, count);
                CommunicatorException e = fails(() -> comm.rank() == 1
                        ? comm.broadcast(data, 0, Call.now("weights"))
                        : comm.allReduce(data, ReduceOp.SUM, Call.now("weights")));
                assertNames(e, "rank 1", "broadcast", "allReduce", "weights");
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {3, 100_000})
    void anotherCountIsNamedOnEveryRank(int count) throws Exception {
        run(3, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, comm.rank() == 2 ? count + 1 : count);
                CommunicatorException e = fails(() -> comm.allReduce(data, ReduceOp.SUM, Call.now("weights")));
                assertNames(e, "rank 2", "F32[" + count + "]", "F32[" + (count + 1) + "]");
            }
        });
    }

    @Test
    void anotherLabelTypeReductionOrRootIsNamedOnEveryRank() throws Exception {
        run(2, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, 10);
                String label = comm.rank() == 0 ? "gradients of block 3" : "gradients of block 4";
                CommunicatorException e = fails(() -> comm.allReduce(data, ReduceOp.SUM, Call.now(label)));
                assertNames(e, "rank 0", "rank 1", "gradients of block 3", "gradients of block 4");
            }
        });
        run(2, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(comm.rank() == 0 ? DType.F32 : DType.I32, 10);
                assertNames(fails(() -> comm.allReduce(data, ReduceOp.SUM, Call.now("x"))), "F32[10]", "I32[10]");
            }
        });
        run(2, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, 10);
                ReduceOp op = comm.rank() == 0 ? ReduceOp.SUM : ReduceOp.MAX;
                assertNames(fails(() -> comm.allReduce(data, op, Call.now("x"))), "SUM", "MAX");
            }
        });
        run(2, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, 10);
                assertNames(fails(() -> comm.broadcast(data, comm.rank(), Call.now("x"))), "from 0", "from 1");
            }
        });
        run(2, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, 100_000);
                CommunicatorException e = fails(() -> comm.reduce(data, ReduceOp.SUM, comm.rank(), Call.now("norms")));
                assertNames(e, "reduce", "to 0", "to 1", "norms");
            }
        });
    }

    @Test
    void aMismatchBetweenSenderAndReceiverIsNamedOnBoth() throws Exception {
        run(2, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, comm.rank() == 0 ? 10 : 11);
                CommunicatorException e = fails(() -> comm.rank() == 0
                        ? comm.send(data, 1, Call.now("activations"))
                        : comm.receive(data, 0, Call.now("activations")));
                assertNames(e, "F32[10]", "F32[11]", "activations");
            }
        });
    }

    @Test
    void abortReachesAllAndStays() throws Exception {
        CyclicBarrier together = new CyclicBarrier(3);
        run(3, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, 200_000);
                comm.barrier(Call.now("all is well")).await();
                together.await();
                if (comm.rank() == 1) {
                    comm.abort("the loss is NaN");
                }
                assertNames(
                        fails(() -> comm.allReduce(data, ReduceOp.SUM, Call.now("a"))), "rank 1", "the loss is NaN");
                assertNames(fails(() -> comm.barrier(Call.now("b"))), "rank 1", "the loss is NaN");
                assertNames(assertThrows(CommunicatorException.class, () -> comm.split(0, 0)), "the loss is NaN");
            }
        });
    }

    @Test
    void abortOfAPartEndsTheWhole() throws Exception {
        CyclicBarrier together = new CyclicBarrier(4);
        run(4, comm -> {
            try (Communicator part = comm.split(comm.rank() % 2, 0)) {
                together.await();
                if (comm.rank() == 2) {
                    part.abort("out of memory");
                }
                assertNames(fails(() -> comm.barrier(Call.now("after"))), "out of memory");
            }
        });
    }

    @Test
    void aRankThatLeavesEarlyIsNamed() throws Exception {
        run(3, comm -> {
            try (HostTensors memory = new HostTensors()) {
                if (comm.rank() == 2) {
                    return; // and so closes
                }
                Tensor data = memory.zeros(DType.F32, 100_000);
                CommunicatorException e = fails(() -> comm.allReduce(data, ReduceOp.SUM, Call.now("step 7")));
                assertNames(e, "rank 2", "left", "allReduce", "step 7");
            }
        });
    }

    @Test
    void closingTwiceDoesNothingAndUseAfterwardsThrows() throws Exception {
        run(2, comm -> {
            comm.barrier(Call.now("last")).await();
            comm.close();
            comm.close();
            CommunicatorException e = fails(() -> comm.barrier(Call.now("too late")));
            assertNames(e, "closed", "too late");
        });
    }

    @Test
    void theFirstFailingRankFailsTheTest() {
        IllegalStateException mine = new IllegalStateException("out of patience");
        Throwable thrown = assertThrows(
                Throwable.class,
                () -> run(3, comm -> {
                    comm.barrier(Call.now("together")).await();
                    if (comm.rank() == 1) {
                        throw mine;
                    }
                    comm.barrier(Call.now("never complete")).await();
                }));
        assertEquals(mine, thrown);
    }

    private interface Start {
        Work start();
    }

    private static CommunicatorException fails(Start operation) {
        return assertThrows(CommunicatorException.class, () -> operation.start().await());
    }

    private static void assertNames(CommunicatorException e, String... words) {
        for (String word : words) {
            assertTrue(e.getMessage().contains(word), "no '" + word + "' in: " + e.getMessage());
        }
    }
}
