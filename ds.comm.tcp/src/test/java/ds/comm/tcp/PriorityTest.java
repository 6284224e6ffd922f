package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Event;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import ds.tck.comm.HostTensors;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is urgent goes before what another group has under way. */
@Timeout(60)
class PriorityTest {
    private static final int RANKS = 2;
    private static final long SHARD = 16L << 20; // elements of four bytes

    /** Taking turns both groups would have sent as much when the urgent one is done. Rank 1 begins the other one last: it cannot be far by then. */
    @Test
    void anUrgentGatherDoesNotTakeTurns() throws Exception {
        Loopback.run(RANKS, Map.of("shared_memory", false), world -> {
            try (HostTensors memory = new HostTensors();
                    Communicator urgent = world.split(rank -> 0);
                    Communicator other = world.split(rank -> 0)) {
                Tensor[] shards = {memory.zeros(DType.I32, SHARD), memory.zeros(DType.I32, SHARD)};
                Tensor[] wholes = {memory.zeros(DType.I32, RANKS * SHARD), memory.zeros(DType.I32, RANKS * SHARD)};
                boolean otherFirst = world.rank() == 0;
                Work early = otherFirst ? other.allGather(shards[0], wholes[0], Call.now("other")) : null;
                Work soon = urgent.allGather(shards[1], wholes[1], new Call("urgent", Event.DONE, true));
                Work late = otherFirst ? early : other.allGather(shards[0], wholes[0], Call.now("other"));
                soon.await();
                long sent = other.traffic().elements();
                late.await();
                assertTrue(sent < SHARD / 2, sent + " of " + SHARD + " elements of the other had left already");
            }
        });
    }

    @AfterEach
    void nothingIsLeftRunning() {
        Loopback.assertNoThreads();
    }
}
