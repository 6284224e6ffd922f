package ds.zero.timing;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.LongSupplier;

/**
 * What to add to this rank's {@link System#nanoTime} to get rank 0's: clocks of hosts begin anywhere. Rank 0 answers each rank's
 * question with its time; the answer that took least says best, to half of what it took. All ranks hear both, since not every communicator
 * has operations of two.
 */
final class RankClock {
    private static final int ROUNDS = 16;
    private static final Call CALL = Call.now("clocks of ranks");

    private final TensorBackend backend;
    private final Communicator communicator;
    private final LongSupplier clock;

    private RankClock(TensorBackend backend, Communicator communicator, LongSupplier clock) {
        this.backend = backend;
        this.communicator = communicator;
        this.clock = clock;
    }

    /** {@return the difference in nanoseconds; all ranks call it} */
    static long offsetNanos(TensorBackend backend, Communicator communicator) {
        return offsetNanos(backend, communicator, System::nanoTime);
    }

    /** {@return that of a clock of this rank} */
    static long offsetNanos(TensorBackend backend, Communicator communicator, LongSupplier clock) {
        return new RankClock(backend, communicator, clock).measure();
    }

    private long measure() {
        Tensor message = backend.allocate(DType.I32, Shape.of(2), "temporary");
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(ValueLayout.JAVA_LONG);
            long offset = 0;
            for (int asking = 1; asking < communicator.worldSize(); asking++) {
                long least = Long.MAX_VALUE;
                for (int round = 0; round < ROUNDS; round++) {
                    long asked = clock.getAsLong();
                    ask(asking, message, host);
                    long took = clock.getAsLong() - asked;
                    if (communicator.rank() == asking && took < least) {
                        least = took;
                        backend.download(message, host, backend.computeStream());
                        backend.computeStream().synchronize();
                        offset = host.get(ValueLayout.JAVA_LONG, 0) - (asked + took / 2);
                    }
                }
            }
            return offset;
        } finally {
            message.buffer().close();
        }
    }

    /** Leaves rank 0's time, after it has heard the question, in the message. */
    private void ask(int asking, Tensor message, MemorySegment host) {
        communicator.broadcast(message, asking, CALL).await();
        if (communicator.rank() == 0) {
            host.set(ValueLayout.JAVA_LONG, 0, clock.getAsLong());
            backend.upload(host, message, backend.computeStream());
            backend.computeStream().synchronize();
        }
        communicator.broadcast(message, 0, CALL).await();
    }
}
