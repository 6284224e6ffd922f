package ds.tck.comm;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.comm.Call;
import ds.api.comm.CommunicatorException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class InProcessCommunicatorsTest {
    @Nested
    class Works extends CommunicatorContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            InProcessCommunicators.run(worldSize, body);
        }
    }

    @Nested
    class Fails extends CommunicatorFailureContract {
        @Override
        public void run(int worldSize, RankBody body) throws Exception {
            InProcessCommunicators.run(worldSize, body);
        }
    }

    @Test
    void aRankThatDoesNotComeIsNamedAtTheDeadline() throws Exception {
        CountDownLatch failed = new CountDownLatch(2);
        InProcessCommunicators.run(3, Duration.ofMillis(50), comm -> {
            if (comm.rank() == 1) {
                failed.await();
                return;
            }
            var e = assertThrows(
                    CommunicatorException.class,
                    () -> comm.barrier(Call.now("epoch")).await());
            assertTrue(e.getMessage().contains("waits for ranks [1]"), e.getMessage());
            assertTrue(e.getMessage().contains("epoch"), e.getMessage());
            failed.countDown();
        });
    }
}
