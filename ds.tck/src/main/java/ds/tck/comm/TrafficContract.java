package ds.tck.comm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is counted, and what is refused before anything is sent. */
public interface TrafficContract extends RankRuns {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    default void trafficFollowsTheFormulas(int worldSize) throws Exception {
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
    default void trafficOfAPartCountsInTheWhole() throws Exception {
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
    default void wrongArgumentsAreRejectedBeforeAnythingIsSent() throws Exception {
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
