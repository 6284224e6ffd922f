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

/**
 * What to add to this rank's {@link System#nanoTime} to get rank 0's: clocks of hosts begin anywhere. Rank 0 answers each rank's
 * question with its time; the answer that took least says best, to half of what it took.
 */
final class RankClock {
    private static final int ROUNDS = 16;
    private static final Call CALL = Call.now("clocks of ranks");

    private final TensorBackend backend;
    private final Communicator communicator;

    private RankClock(TensorBackend backend, Communicator communicator) {
        this.backend = backend;
        this.communicator = communicator;
    }

    /** {@return the difference in nanoseconds; all ranks call it} */
    static long offsetNanos(TensorBackend backend, Communicator communicator) {
        return new RankClock(backend, communicator).measure();
    }

    private long measure() {
        Tensor message = backend.allocate(DType.I32, Shape.of(2), "temporary");
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(ValueLayout.JAVA_LONG);
            if (communicator.rank() > 0) {
                return ask(message, host);
            }
            for (int rank = 1; rank < communicator.worldSize(); rank++) {
                answer(rank, message, host);
            }
            return 0;
        } finally {
            message.buffer().close();
        }
    }

    private long ask(Tensor message, MemorySegment host) {
        long least = Long.MAX_VALUE;
        long offset = 0;
        for (int round = 0; round < ROUNDS; round++) {
            long asked = System.nanoTime();
            communicator.send(message, 0, CALL).await();
            communicator.receive(message, 0, CALL).await();
            long answered = System.nanoTime();
            if (answered - asked < least) {
                least = answered - asked;
                backend.download(message, host, backend.computeStream());
                backend.computeStream().synchronize();
                offset = host.get(ValueLayout.JAVA_LONG, 0) - (asked + least / 2);
            }
        }
        return offset;
    }

    private void answer(int rank, Tensor message, MemorySegment host) {
        for (int round = 0; round < ROUNDS; round++) {
            communicator.receive(message, rank, CALL).await();
            host.set(ValueLayout.JAVA_LONG, 0, System.nanoTime());
            backend.upload(host, message, backend.computeStream());
            backend.computeStream().synchronize();
            communicator.send(message, rank, CALL).await();
        }
    }
}
