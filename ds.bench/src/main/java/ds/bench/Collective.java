package ds.bench;

import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Work;
import java.util.Arrays;

/** The operations that are measured: how each is called, what it gives, and how its bytes are counted. */
public enum Collective {
    /** In place on the whole buffer. */
    ALL_REDUCE("allReduce"),
    /** Of the whole buffer, into a shard. */
    REDUCE_SCATTER("reduceScatter"),
    /** Of a shard, into the whole buffer. */
    ALL_GATHER("allGather"),
    /** Of the whole buffer, from rank 0. */
    BROADCAST("broadcast"),
    /** Of the whole buffer, to rank 0. */
    REDUCE("reduce"),
    /** Of a shard, into the whole buffer of rank 0. */
    GATHER("gather"),
    /** Of the whole buffer, a shard to each rank. */
    ALL_TO_ALL("allToAll");

    private static final int ROOT = 0;
    private static final Call CALL = Call.now("benchmark");

    private final String text;

    Collective(String text) {
        this.text = text;
    }

    /**
     * {@return the operation of this name}
     *
     * @throws IllegalArgumentException if there is none
     */
    public static Collective of(String name) {
        for (Collective collective : values()) {
            if (collective.text.equals(name)) {
                return collective;
            }
        }
        throw new IllegalArgumentException("operation = " + name + ": must be one of " + Arrays.toString(values()));
    }

    /** {@return S(N−1)/N and the like: what must cross the slowest link, of every byte of the buffer; as nccl-tests counts} */
    double busFactor(int ranks) {
        return switch (this) {
            case ALL_REDUCE -> 2.0 * (ranks - 1) / ranks;
            case REDUCE_SCATTER, ALL_GATHER, GATHER, ALL_TO_ALL -> (ranks - 1.0) / ranks;
            case BROADCAST, REDUCE -> 1;
        };
    }

    /** {@return elements that this operation reads on each rank, of a whole buffer of so many} */
    long inputElements(long whole, int ranks) {
        return switch (this) {
            case ALL_GATHER, GATHER -> whole / ranks;
            case ALL_REDUCE, REDUCE_SCATTER, BROADCAST, REDUCE, ALL_TO_ALL -> whole;
        };
    }

    /** {@return elements that it writes; 0 if it works in place} */
    long outputElements(long whole, int ranks) {
        return switch (this) {
            case ALL_REDUCE, BROADCAST, REDUCE -> 0;
            case REDUCE_SCATTER -> whole / ranks;
            case ALL_GATHER, GATHER, ALL_TO_ALL -> whole;
        };
    }

    /** Starts it. */
    Work start(Communicator comm, Tensor input, Tensor output) {
        return switch (this) {
            case ALL_REDUCE -> comm.allReduce(input, ReduceOp.SUM, CALL);
            case REDUCE_SCATTER -> comm.reduceScatter(input, output, ReduceOp.SUM, CALL);
            case ALL_GATHER -> comm.allGather(input, output, CALL);
            case BROADCAST -> comm.broadcast(input, ROOT, CALL);
            case REDUCE -> comm.reduce(input, ReduceOp.SUM, ROOT, CALL);
            case GATHER -> comm.gather(input, output, ROOT, CALL);
            case ALL_TO_ALL -> comm.allToAll(input, output, CALL);
        };
    }

    /** {@return whether this rank's result is defined} */
    boolean defined(int rank) {
        return rank == ROOT || (this != REDUCE && this != GATHER);
    }

    /** {@return element {@code i} of what a rank puts in: whole numbers up to 3, whose sums over 64 ranks BF16 holds exactly} */
    static int pattern(int rank, long i) {
        return (int) ((i + i / 1021 + 3L * rank) & 3);
    }

    /** {@return element {@code i} of what a rank must get} */
    int expected(long i, long whole, int rank, int ranks) {
        long shard = whole / ranks;
        return switch (this) {
            case ALL_REDUCE, REDUCE -> sum(i, ranks);
            case REDUCE_SCATTER -> sum(rank * shard + i, ranks);
            case ALL_GATHER, GATHER -> pattern((int) (i / shard), i % shard);
            case BROADCAST -> pattern(ROOT, i);
            case ALL_TO_ALL -> pattern((int) (i / shard), rank * shard + i % shard);
        };
    }

    private static int sum(long i, int ranks) {
        int sum = 0;
        for (int rank = 0; rank < ranks; rank++) {
            sum += pattern(rank, i);
        }
        return sum;
    }

    @Override
    public String toString() {
        return text;
    }
}
