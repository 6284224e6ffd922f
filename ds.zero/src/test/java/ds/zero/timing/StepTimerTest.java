package ds.zero.timing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Work;
import ds.tck.ReferenceBackend;
import ds.zero.run.StepResult;
import ds.zero.timing.PhaseEvent.Phase;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** What counts as exposed, hidden and idle, of collectives that say when their bytes moved. */
class StepTimerTest {
    /** A collective whose times the test sets. */
    private static final class Told implements Work {
        private OptionalLong started = OptionalLong.empty();
        private OptionalLong done = OptionalLong.empty();
        private Runnable wait = () -> {};

        private void begin() {
            started = OptionalLong.of(System.nanoTime());
        }

        private void end() {
            done = OptionalLong.of(System.nanoTime());
        }

        private long nanos() {
            return done.getAsLong() - started.getAsLong();
        }

        @Override
        public void await() {
            wait.run();
        }

        @Override
        public OptionalLong startedNanos() {
            return started;
        }

        @Override
        public OptionalLong doneNanos() {
            return done;
        }
    }

    private final Collectives collectives = new Collectives();
    private final StepTimer timer = new StepTimer(collectives);

    private Work ask(Work work) {
        try (ReferenceBackend backend = new ReferenceBackend()) {
            Tensor whole = backend.allocate(DType.F32, Shape.of(4), "test");
            Work asked = collectives.ask(work, Call.now("test"), "allReduce", whole);
            whole.buffer().close();
            return asked;
        }
    }

    private static void spend() {
        long end = System.nanoTime() + 100_000;
        while (System.nanoTime() < end) {
            Thread.onSpinWait();
        }
    }

    private StepResult.Timing step(Runnable body) {
        timer.phase(Phase.UPDATE, () -> {
            body.run();
            return 0;
        });
        return timer.stepDone();
    }

    private void await(Work work) {
        try (ReferenceBackend backend = new ReferenceBackend()) {
            timer.await(work, backend.computeStream());
        }
    }

    @Test
    void waitingForALateRankIsIdleAndWaitingForBytesIsExposed() {
        Told told = new Told();
        told.wait = () -> {
            spend(); // another rank has not come
            told.begin();
            spend();
            told.end();
        };
        StepResult.Timing timing = step(() -> await(ask(told)));
        assertEquals(told.nanos(), timing.communicationNanos());
        assertEquals(0, timing.hiddenNanos());
        assertTrue(timing.idleNanos() >= 100_000, timing::toString);
    }

    @Test
    void whatMovesWhileThisRankComputesIsHidden() {
        Told told = new Told();
        StepResult.Timing timing = step(() -> {
            Work asked = ask(told);
            told.begin();
            spend();
            told.end();
            await(asked);
        });
        assertEquals(told.nanos(), timing.hiddenNanos());
        assertEquals(0, timing.communicationNanos());
    }

    /** As weights that travel on while the next step has begun. */
    @Test
    void whatIsUnderWayAtTheEndOfAStepCountsInBoth() {
        Told told = new Told();
        Work[] asked = new Work[1];
        StepResult.Timing first = step(() -> {
            asked[0] = ask(told);
            told.begin();
            spend();
        });
        StepResult.Timing second = step(() -> {
            spend();
            told.end();
            await(asked[0]);
        });
        assertTrue(first.hiddenNanos() >= 100_000, first::toString);
        assertTrue(second.hiddenNanos() >= 100_000, second::toString);
        assertTrue(first.hiddenNanos() + second.hiddenNanos() <= told.nanos(), first + " " + second);
    }

    @Test
    void ofACommunicatorThatKeepsNoTimesEveryWaitIsExposed() {
        StepResult.Timing timing = step(() -> await(ask(StepTimerTest::spend)));
        assertTrue(timing.communicationNanos() >= 100_000, timing::toString);
        assertEquals(0, timing.hiddenNanos());
    }
}
