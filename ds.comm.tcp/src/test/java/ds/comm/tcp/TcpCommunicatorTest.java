package ds.comm.tcp;

import ds.tck.comm.CommunicatorContract;
import ds.tck.comm.CommunicatorFailureContract;
import ds.tck.comm.RankBody;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;

class TcpCommunicatorTest {
    @Nested
    class Works extends CommunicatorContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            Map<String, ?> options = worldSize == 4 ? Map.of("inbox_bytes", 1) : Map.of(); // 1: the smallest there is
            Loopback.run(worldSize, options, body);
        }
    }

    @Nested
    class WorksThroughSockets extends CommunicatorContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            Map<String, ?> options =
                    worldSize == 4 ? Map.of("shared_memory", false, "inbox_bytes", 1) : Map.of("shared_memory", false);
            Loopback.run(worldSize, options, body);
        }
    }

    @Nested
    class FailsThroughSockets extends CommunicatorFailureContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            Loopback.run(worldSize, Map.of("shared_memory", false), body);
        }
    }

    @Nested
    class Fails extends CommunicatorFailureContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            Loopback.run(worldSize, Map.of(), body);
        }
    }

    @AfterEach
    void nothingIsLeftRunning() {
        Loopback.assertNoThreads();
    }
}
