package ds.tck.comm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.DType;
import ds.api.Device;
import ds.api.Event;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import ds.api.comm.Work;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a group of ranks does when all goes well, for a provider whose communicators accept host tensors; what it does when
 * not stands in {@link CommunicatorFailureContract}. The values are those of {@link Pattern}: sums and largest elements are
 * compared bit by bit with a plain sum in the order of ranks.
 */
public abstract class CommunicatorContract {
    /** More elements than any inbox holds, and not divisible by 2, 3 or 4. */
    private static final int LARGE = 1_500_007;

    /** For subclasses. */
    protected CommunicatorContract() {}

    /**
     * Opens a group and runs {@code body} on every rank, each on a thread of its own, as {@link RankThreads#run} does.
     *
     * @throws Exception what the first failing rank has thrown
     */
    protected abstract void run(int worldSize, RankBody body) throws Exception;

    /** {@return whether communicators send and receive; a provider without says so in its documentation} */
    protected boolean sends() {
        return true;
    }

    /** {@return whether the largest of several numbers is NaN if one is; a provider where it is not says so in its documentation} */
    protected boolean findsNaN() {
        return true;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4})
    void everyRankKnowsItsPlace(int worldSize) throws Exception {
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
    @CsvSource({
        "1,5",
        "2,1",
        "2,7",
        "2,4096",
        "3,2",
        "3,100",
        "3,40001",
        "4,3",
        "4,10",
        "4,65536",
        "2,1500007",
        "4,1500007"
    })
    void allReduceSumsInTheOrderOfRanks(int worldSize, int count) throws Exception {
        for (DType dtype : count == LARGE ? new DType[] {DType.F32, DType.BF16} : DType.values()) {
            reduces(worldSize, count, dtype, ReduceOp.SUM);
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    void allReduceFindsTheLargest(DType dtype) throws Exception {
        reduces(3, 1001, dtype, ReduceOp.MAX);
        reduces(3, 100_003, dtype, ReduceOp.MAX);
    }

    private void reduces(int worldSize, int count, DType dtype, ReduceOp op) throws Exception {
        run(worldSize, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = Pattern.of(memory, dtype, count, comm.rank());
                Tensor expected = Pattern.combined(memory, dtype, count, worldSize, op);
                comm.allReduce(data, op, Call.now("weights")).await();
                Pattern.assertSame(expected, data, "rank " + comm.rank() + ", " + dtype);
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {9, 60_000})
    void theLargestIsNaNIfAnyIs(int count) throws Exception {
        assumeTrue(findsNaN(), "passes over NaN");
        long third = count / 3;
        run(3, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = Pattern.of(memory, DType.F32, count, comm.rank());
                HostTensors.set(data, third * comm.rank(), Double.NaN);
                comm.allReduce(data, ReduceOp.MAX, Call.now("scale")).await();
                for (int r = 0; r < 3; r++) {
                    assertTrue(Double.isNaN(HostTensors.get(data, third * r)), "NaN of rank " + r);
                }
            }
        });
    }

    @ParameterizedTest
    @CsvSource({"1,3", "2,1", "2,501", "3,77", "3,30000", "4,1", "4,9999", "2,700001"})
    void reduceScatterLeavesEachRankItsShard(int worldSize, int shard) throws Exception {
        for (DType dtype : shard > 100_000 ? new DType[] {DType.F32, DType.BF16} : DType.values()) {
            run(worldSize, comm -> {
                try (HostTensors memory = new HostTensors()) {
                    int count = shard * worldSize;
                    Tensor input = Pattern.of(memory, dtype, count, comm.rank());
                    Tensor output = memory.zeros(dtype, shard);
                    Tensor sum = Pattern.combined(memory, dtype, count, worldSize, ReduceOp.SUM);
                    comm.reduceScatter(input, output, ReduceOp.SUM, Call.now("gradients"))
                            .await();
                    Pattern.assertSame(sum.slice((long) comm.rank() * shard, shard), output, "shard, " + dtype);
                    Pattern.assertSame(Pattern.of(memory, dtype, count, comm.rank()), input, "input, " + dtype);
                }
            });
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {5, 50_000})
    void reduceScatterWorksInPlace(int shard) throws Exception {
        run(3, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor input = Pattern.of(memory, DType.F32, shard * 3, comm.rank());
                Tensor output = input.slice((long) comm.rank() * shard, shard);
                Tensor sum = Pattern.combined(memory, DType.F32, shard * 3, 3, ReduceOp.SUM);
                comm.reduceScatter(input, output, ReduceOp.SUM, Call.now("gradients"))
                        .await();
                Pattern.assertSame(sum.slice((long) comm.rank() * shard, shard), output, "shard");
            }
        });
    }

    @ParameterizedTest
    @CsvSource({"1,3", "2,1", "2,501", "3,77", "4,9999", "2,700001"})
    void allGatherPutsTheShardsSideBySide(int worldSize, int shard) throws Exception {
        for (DType dtype : DType.values()) {
            run(worldSize, comm -> {
                try (HostTensors memory = new HostTensors()) {
                    Tensor whole = Pattern.of(memory, dtype, shard * worldSize, 17);
                    Tensor own = whole.slice((long) comm.rank() * shard, shard);
                    Tensor apart = memory.zeros(dtype, (long) shard * worldSize);
                    comm.allGather(own, apart, Call.now("apart")).await();
                    Pattern.assertSame(whole, apart, "apart, " + dtype);
                    Tensor inPlace = memory.zeros(dtype, (long) shard * worldSize);
                    Tensor place = inPlace.slice((long) comm.rank() * shard, shard);
                    place.host().copyFrom(own.host());
                    comm.allGather(place, inPlace, Call.now("in place")).await();
                    Pattern.assertSame(whole, inPlace, "in place, " + dtype);
                }
            });
        }
    }

    @ParameterizedTest
    @CsvSource({"1,5", "2,1", "2,7", "3,100", "3,40001", "4,65536", "2,1500007", "4,1500007"})
    void reduceLeavesTheRootTheSum(int worldSize, int count) throws Exception {
        for (DType dtype : count == LARGE ? new DType[] {DType.F32, DType.BF16} : DType.values()) {
            run(worldSize, comm -> {
                for (int root = 0; root < worldSize; root++) {
                    try (HostTensors memory = new HostTensors()) {
                        Tensor data = Pattern.of(memory, dtype, count, comm.rank());
                        comm.reduce(data, ReduceOp.SUM, root, Call.now("weights"))
                                .await();
                        if (comm.rank() == root) {
                            Tensor sum = Pattern.combined(memory, dtype, count, worldSize, ReduceOp.SUM);
                            Pattern.assertSame(sum, data, "root " + root + ", " + dtype);
                        }
                    }
                }
            });
        }
    }

    @ParameterizedTest
    @CsvSource({"1,3", "2,1", "2,501", "3,77", "4,9999", "2,700001"})
    void gatherPutsTheShardsSideBySideOnTheRoot(int worldSize, int shard) throws Exception {
        for (DType dtype : DType.values()) {
            run(worldSize, comm -> {
                try (HostTensors memory = new HostTensors()) {
                    int root = worldSize - 1;
                    Tensor whole = Pattern.of(memory, dtype, shard * worldSize, 17);
                    Tensor own = whole.slice((long) comm.rank() * shard, shard);
                    Tensor output = memory.zeros(dtype, (long) shard * worldSize);
                    Tensor place = output.slice((long) comm.rank() * shard, shard);
                    place.host().copyFrom(own.host());
                    boolean isRoot = comm.rank() == root;
                    comm.gather(isRoot ? place : own, isRoot ? output : own, root, Call.now("in place"))
                            .await();
                    Pattern.assertSame(isRoot ? whole : own, isRoot ? output : place, dtype.toString());
                    Tensor apart = memory.zeros(dtype, (long) shard * worldSize);
                    comm.gather(own, apart, 0, Call.now("apart")).await();
                    Tensor expected = comm.rank() == 0 ? whole : memory.zeros(dtype, (long) shard * worldSize);
                    Pattern.assertSame(expected, apart, "apart, " + dtype);
                }
            });
        }
    }

    @ParameterizedTest
    @CsvSource({"1,3", "2,1", "2,501", "3,77", "4,9999", "3,300001"})
    void allToAllSendsShardRToRankR(int worldSize, int shard) throws Exception {
        for (DType dtype : DType.values()) {
            run(worldSize, comm -> {
                try (HostTensors memory = new HostTensors()) {
                    Tensor input = Pattern.of(memory, dtype, shard * worldSize, comm.rank());
                    Tensor output = memory.zeros(dtype, (long) shard * worldSize);
                    comm.allToAll(input, output, Call.now("experts")).await();
                    for (int from = 0; from < worldSize; from++) {
                        Tensor theirs = Pattern.of(memory, dtype, shard * worldSize, from);
                        Tensor expected = theirs.slice((long) comm.rank() * shard, shard);
                        Tensor actual = output.slice((long) from * shard, shard);
                        Pattern.assertSame(expected, actual, "from " + from + ", " + dtype);
                    }
                    Pattern.assertSame(
                            Pattern.of(memory, dtype, shard * worldSize, comm.rank()), input, "input, " + dtype);
                }
            });
        }
    }

    @ParameterizedTest
    @CsvSource({"1,4", "2,1", "3,1000", "3,300001", "4,1500007"})
    void broadcastCopiesTheRoot(int worldSize, int count) throws Exception {
        run(worldSize, comm -> {
            for (int root = 0; root < worldSize; root++) {
                try (HostTensors memory = new HostTensors()) {
                    Tensor data = Pattern.of(memory, DType.BF16, count, comm.rank());
                    comm.broadcast(data, root, Call.now("weights")).await();
                    Pattern.assertSame(Pattern.of(memory, DType.BF16, count, root), data, "root " + root);
                }
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3000, LARGE})
    void whatIsSentArrives(int count) throws Exception {
        assumeTrue(sends(), "does not send");
        run(3, comm -> {
            try (HostTensors memory = new HostTensors()) {
                int next = (comm.rank() + 1) % 3;
                int previous = (comm.rank() + 2) % 3;
                Tensor data = Pattern.of(memory, DType.F32, count, comm.rank());
                Tensor inbox = memory.zeros(DType.F32, count);
                Work sent = comm.send(data, next, Call.now("activations")); // all send before anyone receives
                Work received = comm.receive(inbox, previous, Call.now("activations"));
                received.await();
                sent.await();
                Pattern.assertSame(Pattern.of(memory, DType.F32, count, previous), inbox, "from " + previous);
            }
        });
    }

    @Test
    void sendingIsIndependentOfCollectives() throws Exception {
        assumeTrue(sends(), "does not send");
        run(2, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor first = Pattern.of(memory, DType.F32, 50_000, comm.rank());
                Tensor second = Pattern.of(memory, DType.F32, 10, comm.rank());
                if (comm.rank() == 0) {
                    Work a = comm.send(first, 1, Call.now("a"));
                    Work b = comm.send(second, 1, Call.now("b"));
                    comm.barrier(Call.now("between")).await();
                    a.await();
                    b.await();
                } else {
                    comm.barrier(Call.now("between")).await();
                    comm.receive(first, 0, Call.now("a")).await();
                    comm.receive(second, 0, Call.now("b")).await();
                    Pattern.assertSame(Pattern.of(memory, DType.F32, 50_000, 0), first, "a");
                    Pattern.assertSame(Pattern.of(memory, DType.F32, 10, 0), second, "b");
                }
            }
        });
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void severalAreUnderWayAtOnce(int worldSize) throws Exception {
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
    void theBitsRepeatHoweverTheBufferIsCut() throws Exception {
        int count = 400_000;
        run(4, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor whole = Pattern.of(memory, DType.BF16, count, comm.rank());
                Tensor parts = Pattern.of(memory, DType.BF16, count, comm.rank());
                comm.allReduce(whole, ReduceOp.SUM, Call.now("whole")).await();
                int[] cuts = {0, 7, 5000, 123_456, count};
                for (int i = 1; i < cuts.length; i++) {
                    comm.allReduce(parts.slice(cuts[i - 1], cuts[i] - cuts[i - 1]), ReduceOp.SUM, Call.now("part"))
                            .await();
                }
                Pattern.assertSame(whole, parts, "cut");
            }
        });
    }

    @Test
    void operandsAreReadAfterTheirEvent() throws Exception {
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
    void splitOrdersByKeyThenRank() throws Exception {
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
    void splitByARuleKeepsTheOrderOfRanks() throws Exception {
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
    void rowsAndColumnsOfAMeshWorkAtOnce(int count) throws Exception {
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

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void trafficFollowsTheFormulas(int worldSize) throws Exception {
        long shard = 90_000;
        long whole = shard * worldSize;
        run(worldSize, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, whole);
                Tensor part = memory.zeros(DType.F32, shard);
                Traffic start = comm.traffic();
                comm.reduceScatter(data, part, ReduceOp.SUM, Call.now("a")).await();
                assertEquals(
                        shard * (worldSize - 1), comm.traffic().since(start).elements(), "reduceScatter");
                comm.allGather(part, data, Call.now("b")).await();
                assertEquals(
                        2 * shard * (worldSize - 1), comm.traffic().since(start).elements(), "and allGather");
                comm.allReduce(data, ReduceOp.SUM, Call.now("c")).await();
                Traffic all = comm.traffic().since(start);
                assertEquals(4 * shard * (worldSize - 1), all.elements(), "and allReduce");
                assertEquals(3, all.collectives());
                comm.allToAll(data, memory.zeros(DType.F32, whole), Call.now("d"))
                        .await();
                comm.gather(part, data, 0, Call.now("e")).await();
                comm.reduce(data, ReduceOp.SUM, 0, Call.now("f")).await();
                boolean root = comm.rank() == 0;
                long toOthers = 2 * shard * (worldSize - 1) + (root ? 0 : 2 * shard);
                assertEquals(
                        4 * shard * (worldSize - 1) + toOthers,
                        comm.traffic().since(start).elements(),
                        "and allToAll, gather, reduce");
                assertTrue(all.bytes() >= 4 * all.elements(), "bytes: " + all);
                assertTrue(all.bytes() <= 4.04 * all.elements() + 10_000, "bytes, headers included: " + all);
            }
        });
    }

    @Test
    void trafficOfAPartCountsInTheWhole() throws Exception {
        run(4, comm -> {
            try (HostTensors memory = new HostTensors();
                    Communicator part = comm.split(comm.rank() % 2, 0)) {
                Traffic start = comm.traffic();
                part.allReduce(memory.zeros(DType.BF16, 80_000), ReduceOp.SUM, Call.now("part"))
                        .await();
                assertEquals(80_000, part.traffic().elements());
                assertEquals(80_000, comm.traffic().since(start).elements());
            }
        });
    }

    @Test
    void arraysOfTheHeapAreHostMemoryToo() throws Exception {
        run(2, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = HostTensors.onHeap(new float[200_001]);
                data.host()
                        .copyFrom(Pattern.of(memory, DType.F32, 200_001, comm.rank())
                                .host());
                comm.allReduce(data, ReduceOp.SUM, Call.now("heap")).await();
                Pattern.assertSame(Pattern.sum(memory, 200_001, 0, 1), data, "heap");
            }
        });
    }

    @Test
    void wrongArgumentsAreRejectedBeforeAnythingIsSent() throws Exception {
        run(2, comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor five = memory.zeros(DType.F32, 5);
                Tensor two = memory.zeros(DType.F32, 2);
                Call call = Call.now("wrong");
                assertThrows(IllegalArgumentException.class, () -> comm.reduceScatter(five, two, ReduceOp.SUM, call));
                assertThrows(IllegalArgumentException.class, () -> comm.allGather(two, five, call));
                assertThrows(
                        IllegalArgumentException.class,
                        () -> comm.allGather(memory.zeros(DType.I32, 2), memory.zeros(DType.F32, 4), call));
                assertThrows(IllegalArgumentException.class, () -> comm.broadcast(two, 2, call));
                assertThrows(IllegalArgumentException.class, () -> comm.reduce(two, ReduceOp.SUM, 2, call));
                assertThrows(IllegalArgumentException.class, () -> comm.gather(two, two, -1, call));
                assertThrows(IllegalArgumentException.class, () -> comm.gather(two, five, comm.rank(), call));
                assertThrows(IllegalArgumentException.class, () -> comm.allToAll(five, five, call));
                assertThrows(IllegalArgumentException.class, () -> comm.allToAll(two, five, call));
                if (sends()) {
                    assertThrows(IllegalArgumentException.class, () -> comm.send(two, comm.rank(), call));
                    assertThrows(IllegalArgumentException.class, () -> comm.receive(two, -1, call));
                }
                assertThrows(IllegalArgumentException.class, () -> comm.split(-1, 0));
                comm.barrier(Call.now("still in step")).await();
            }
        });
    }
}
