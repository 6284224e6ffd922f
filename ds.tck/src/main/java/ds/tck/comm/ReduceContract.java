package ds.tck.comm;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.ReduceOp;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sums and largest elements over ranks: compared bit by bit with a plain sum in the order of ranks, of the values of {@link Pattern}. */
public interface ReduceContract extends RankRuns {
    /** More elements than any inbox holds, and not divisible by 2, 3 or 4. */
    int LARGE = 1_500_007;

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
    default void allReduceSumsInTheOrderOfRanks(int worldSize, int count) throws Exception {
        for (DType dtype : count == LARGE ? new DType[] {DType.F32, DType.BF16} : DType.values()) {
            reduces(worldSize, count, dtype, ReduceOp.SUM);
        }
    }

    @ParameterizedTest
    @EnumSource(DType.class)
    default void allReduceFindsTheLargest(DType dtype) throws Exception {
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
    default void theLargestIsNaNIfAnyIs(int count) throws Exception {
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
    default void reduceScatterLeavesEachRankItsShard(int worldSize, int shard) throws Exception {
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
    default void reduceScatterWorksInPlace(int shard) throws Exception {
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
    @CsvSource({"1,5", "2,1", "2,7", "3,100", "3,40001", "4,65536", "2,1500007", "4,1500007"})
    default void reduceLeavesTheRootTheSum(int worldSize, int count) throws Exception {
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

    @Test
    default void theBitsRepeatHoweverTheBufferIsCut() throws Exception {
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
    default void arraysOfTheHeapAreHostMemoryToo() throws Exception {
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
}
