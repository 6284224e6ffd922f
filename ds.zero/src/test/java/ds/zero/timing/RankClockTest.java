package ds.zero.timing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clocks of ranks whose differences are known. */
class RankClockTest {
    private static final long HOUR = 3_600_000_000_000L;
    private static final double MINUTE = 6e10; // longer than any answer takes

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void whatIsAddedGivesTheTimeOfRankZero(int ranks) throws Exception {
        InProcessCommunicators.run(ranks, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend()) {
                long ahead = HOUR * (communicator.rank() * communicator.rank() + 2);
                long offset = RankClock.offsetNanos(backend, communicator, () -> System.nanoTime() + ahead);
                assertEquals(2.0 * HOUR - ahead, offset, MINUTE);
            }
        });
    }
}
