package ds.zero.plan;

import ds.api.Device;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import ds.api.comm.Work;
import java.util.Optional;
import java.util.function.IntUnaryOperator;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * One rank of a group of which there are no others: nothing is sent, everything is done at once, and {@link #traffic} counts the
 * elements and bytes that would have been sent, without headers.
 */
public final class PlanningCommunicator implements Communicator {
    private static final Work DONE = () -> {};

    private final int rank;
    private final int worldSize;
    private final int ranksPerHost;
    private final Predicate<Device> reached;
    private final Optional<PlanningCommunicator> parent;
    private Traffic traffic = Traffic.NONE;

    /** Stands for one rank, and reaches all memory. */
    public PlanningCommunicator(int rank, int worldSize) {
        this(rank, worldSize, 1, device -> true);
    }

    /**
     * Stands for one rank.
     *
     * @param ranksPerHost what {@link #ranksPerHost} says
     * @param reached the devices whose tensors can be passed
     */
    public PlanningCommunicator(int rank, int worldSize, int ranksPerHost, Predicate<Device> reached) {
        this(rank, worldSize, ranksPerHost, reached, Optional.empty());
    }

    private PlanningCommunicator(
            int rank,
            int worldSize,
            int ranksPerHost,
            Predicate<Device> reached,
            Optional<PlanningCommunicator> parent) {
        if (rank < 0 || rank >= worldSize) {
            throw new IllegalArgumentException("rank " + rank + " of " + worldSize + " ranks");
        }
        this.rank = rank;
        this.worldSize = worldSize;
        this.ranksPerHost = ranksPerHost;
        this.reached = reached;
        this.parent = parent;
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int worldSize() {
        return worldSize;
    }

    @Override
    public boolean accepts(Device device) {
        return reached.test(device);
    }

    /** Counts a reduce-scatter and an all-gather of shards as equal as the elements allow. */
    @Override
    public Work allReduce(Tensor data, ReduceOp op, Call call) {
        long own = data.elements() / worldSize + (rank < data.elements() % worldSize ? 1 : 0);
        return count(data, data.elements() - own + own * (worldSize - 1L));
    }

    @Override
    public Work reduceScatter(Tensor input, Tensor output, ReduceOp op, Call call) {
        return count(input, input.elements() - output.elements());
    }

    @Override
    public Work allGather(Tensor input, Tensor output, Call call) {
        return count(input, output.elements() - input.elements());
    }

    @Override
    public Work reduce(Tensor data, ReduceOp op, int root, Call call) {
        long own = data.elements() / worldSize + (rank < data.elements() % worldSize ? 1 : 0);
        return count(data, data.elements() - own + (rank == root ? 0 : own));
    }

    @Override
    public Work gather(Tensor input, Tensor output, int root, Call call) {
        return count(input, rank == root ? 0 : input.elements());
    }

    @Override
    public Work allToAll(Tensor input, Tensor output, Call call) {
        return count(input, input.elements() - input.elements() / worldSize);
    }

    @Override
    public Work broadcast(Tensor data, int root, Call call) {
        return count(data, rank == root ? data.elements() * (worldSize - 1L) : 0);
    }

    @Override
    public Work send(Tensor data, int peer, Call call) {
        return count(data, data.elements());
    }

    @Override
    public Work receive(Tensor data, int peer, Call call) {
        return DONE;
    }

    @Override
    public Work barrier(Call call) {
        add(new Traffic(0, 0, 1));
        return DONE;
    }

    private Work count(Tensor data, long elements) {
        add(new Traffic(elements, elements * data.dtype().byteSize(), 1));
        return DONE;
    }

    private void add(Traffic sent) {
        traffic = traffic.plus(sent);
        parent.ifPresent(group -> group.add(sent));
    }

    @Override
    public Communicator split(int color, int key) {
        throw new UnsupportedOperationException("split(" + color + ", " + key
                + ") of a group that is only planned: which " + "ranks have the same color cannot be known");
    }

    /** Of a part it is not known how many of its ranks share a host. */
    @Override
    public Communicator split(IntUnaryOperator color) {
        int own = color.applyAsInt(rank);
        int before = (int) IntStream.range(0, rank)
                .filter(other -> color.applyAsInt(other) == own)
                .count();
        int size = (int) IntStream.range(0, worldSize)
                .filter(other -> color.applyAsInt(other) == own)
                .count();
        return new PlanningCommunicator(before, size, 1, reached, Optional.of(this));
    }

    @Override
    public int ranksPerHost() {
        return ranksPerHost;
    }

    @Override
    public Traffic traffic() {
        return traffic;
    }

    @Override
    public void abort(String reason) {
        throw new CommunicatorException("planned rank " + rank + " aborted: " + reason);
    }

    @Override
    public void close() {}
}
