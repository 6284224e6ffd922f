package ds.tck.comm;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Work;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What moves values between ranks as they are: compared bit by bit, for every type. */
public interface MoveContract extends RankRuns {
    /** More elements than any inbox holds, and not divisible by 2, 3 or 4. */
    int LARGE = 1_500_007;

    @ParameterizedTest
    @CsvSource({"1,3", "2,1", "2,501", "3,77", "4,9999", "2,700001"})
    default void allGatherPutsTheShardsSideBySide(int worldSize, int shard) throws Exception {
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
    @CsvSource({"1,3", "2,1", "2,501", "3,77", "4,9999", "2,700001"})
    default void gatherPutsTheShardsSideBySideOnTheRoot(int worldSize, int shard) throws Exception {
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
    default void allToAllSendsShardRToRankR(int worldSize, int shard) throws Exception {
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
    default void broadcastCopiesTheRoot(int worldSize, int count) throws Exception {
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
    default void whatIsSentArrives(int count) throws Exception {
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
    default void sendingIsIndependentOfCollectives() throws Exception {
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
}
