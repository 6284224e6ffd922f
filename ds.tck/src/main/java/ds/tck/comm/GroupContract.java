package ds.tck.comm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Device;
import ds.api.Event;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Work;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Groups, parts of them, and several operations of both at once. */
public interface GroupContract extends RankRuns {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    default void everyRankKnowsItsPlace(int worldSize) throws Exception {
        boolean[] seen = new boolean[worldSize];
        run(worldSize, comm -> {
            assertEquals(worldSize, comm.worldSize());
            assertTrue(comm.accepts(Device.HOST));
            seen[comm.rank()] = true;
            comm.barrier(Call.now("start")).await();
            for (boolean rank : seen) {
                assertTrue(rank, "a rank has passed the barrier before all had reached it");
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    default void severalAreUnderWayAtOnce(int worldSize) throws Exception {
        int[] counts = {1, 40_000, 17, 300_000, 5000, 3};
        run(worldSize, comm -> {
            try (HostTensors memory = new HostTensors()) {
                List<Work> works = new ArrayList<>();
                List<Tensor> tensors = new ArrayList<>();
                for (int count : counts) {
                    Tensor data = Pattern.of(memory, DType.F32, count, comm.rank());
                    tensors.add(data);
                    works.add(comm.allReduce(data, ReduceOp.SUM, Call.now("bucket of " + count)));
                }
                for (int i = counts.length - 1; i >= 0; i--) {
                    works.get(i).await();
                    Tensor sum = Pattern.combined(memory, DType.F32, counts[i], worldSize, ReduceOp.SUM);
                    Pattern.assertSame(sum, tensors.get(i), "bucket of " + counts[i]);
                }
                works.getFirst().await(); // again: it stays done
            }
        });
    }

    @Test
    default void operandsAreReadAfterTheirEvent() throws Exception {
        run(2, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, 100);
                CountDownLatch ready = new CountDownLatch(1);
                Event event = () -> await(ready);
                Work[] work = new Work[1];
                Thread caller = Thread.ofPlatform().start(() -> {
                    work[0] = comm.allReduce(data, ReduceOp.SUM, new Call("late", event));
                    work[0].await();
                });
                HostTensors.set(data, 99, comm.rank() + 1);
                ready.countDown();
                caller.join();
                assertEquals(3, HostTensors.get(data, 99));
            }
        });
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Test
    default void splitOrdersByKeyThenRank() throws Exception {
        run(4, comm -> {
            int color = comm.rank() == 3 ? 5 : 0; // groups of 3 and of 1
            try (Communicator part = comm.split(color, -comm.rank())) {
                assertEquals(comm.rank() == 3 ? 1 : 3, part.worldSize());
                assertEquals(comm.rank() == 3 ? 0 : 2 - comm.rank(), part.rank());
                part.barrier(Call.now("inside")).await();
            }
            try (Communicator part = comm.split(1, 0)) {
                assertEquals(comm.rank(), part.rank());
            }
        });
    }

    @Test
    default void splitByARuleKeepsTheOrderOfRanks() throws Exception {
        run(6, comm -> {
            try (HostTensors memory = new HostTensors();
                    Communicator part = comm.split(rank -> rank % 3)) {
                assertEquals(2, part.worldSize());
                assertEquals(comm.rank() / 3, part.rank());
                Tensor data = Pattern.of(memory, DType.F32, 20, comm.rank());
                part.allReduce(data, ReduceOp.SUM, Call.now("part")).await();
                Pattern.assertSame(Pattern.sum(memory, 20, comm.rank() % 3, comm.rank() % 3 + 3), data, "part");
            }
            assertEquals(0, 6 % comm.ranksPerHost(), "as many ranks on every host");
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {20, 120_000})
    default void rowsAndColumnsOfAMeshWorkAtOnce(int count) throws Exception {
        run(4, comm -> {
            int row = comm.rank() / 2;
            int column = comm.rank() % 2;
            try (HostTensors memory = new HostTensors();
                    Communicator rows = comm.split(row, column);
                    Communicator columns = comm.split(column, row)) {
                Tensor a = Pattern.of(memory, DType.F32, count, comm.rank());
                Tensor b = Pattern.of(memory, DType.F32, count, comm.rank());
                Tensor c = Pattern.of(memory, DType.F32, count, comm.rank());
                List<Work> works = new ArrayList<>();
                // Each rank starts the three groups in another order: they must not wait for each other.
                for (int i = 0; i < 3; i++) {
                    switch ((comm.rank() + i) % 3) {
                        case 0 -> works.add(rows.allReduce(a, ReduceOp.SUM, Call.now("row")));
                        case 1 -> works.add(columns.allReduce(b, ReduceOp.SUM, Call.now("column")));
                        default -> works.add(comm.allReduce(c, ReduceOp.SUM, Call.now("all")));
                    }
                }
                works.forEach(Work::await);
                Pattern.assertSame(Pattern.sum(memory, count, 2 * row, 2 * row + 1), a, "row");
                Pattern.assertSame(Pattern.sum(memory, count, column, column + 2), b, "column");
                Pattern.assertSame(Pattern.sum(memory, count, 0, 1, 2, 3), c, "all");
            }
        });
    }
}
