package ds.tck.comm;

import ds.api.DType;
import ds.api.Device;
import ds.api.Event;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import ds.api.comm.Work;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** One rank of an {@link InProcessGroup}. Used by the thread of that rank alone. */
final class InProcessCommunicator implements Communicator {
    private final InProcessGroup group;
    private final int rank;
    private final TrafficCounter counter;
    private final Map<Long, Long> sequences = new HashMap<>();
    private final List<Round> underWay = new ArrayList<>();
    private final List<Communicator> parts = new ArrayList<>();
    private boolean closed;

    InProcessCommunicator(InProcessGroup group, int rank, TrafficCounter counter) {
        this.group = group;
        this.rank = rank;
        this.counter = counter;
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int worldSize() {
        return group.worldSize();
    }

    @Override
    public boolean accepts(Device device) {
        return device.equals(Device.HOST);
    }

    @Override
    public Work allReduce(Tensor data, ReduceOp op, Call call) {
        Operation operation =
                new Operation("allReduce", Optional.of(op), 0, data.dtype(), data.elements(), call.label());
        long own = data.elements() / worldSize() + (rank < data.elements() % worldSize() ? 1 : 0);
        count(operation, data.elements() - own + own * (worldSize() - 1L));
        return collective(new Contribution(operation, List.of(data), call.after()));
    }

    @Override
    public Work reduceScatter(Tensor input, Tensor output, ReduceOp op, Call call) {
        requireShards("reduceScatter", input, output, call);
        Operation operation =
                new Operation("reduceScatter", Optional.of(op), 0, input.dtype(), input.elements(), call.label());
        count(operation, input.elements() - output.elements());
        return collective(new Contribution(operation, List.of(input, output), call.after()));
    }

    @Override
    public Work allGather(Tensor input, Tensor output, Call call) {
        requireShards("allGather", output, input, call);
        Operation operation = Operation.of("allGather", output.dtype(), output.elements(), call.label());
        count(operation, input.elements() * (worldSize() - 1));
        return collective(new Contribution(operation, List.of(input, output), call.after()));
    }

    @Override
    public Work reduce(Tensor data, ReduceOp op, int root, Call call) {
        requireRank("reduce", "root", root, call);
        Operation operation =
                new Operation("reduce", Optional.of(op), root, data.dtype(), data.elements(), call.label());
        long own = data.elements() / worldSize() + (rank < data.elements() % worldSize() ? 1 : 0);
        count(operation, data.elements() - own + (rank == root ? 0 : own));
        return collective(new Contribution(operation, List.of(data), call.after()));
    }

    @Override
    public Work gather(Tensor input, Tensor output, int root, Call call) {
        requireRank("gather", "root", root, call);
        if (rank == root) {
            requireShards("gather", output, input, call);
        }
        Operation operation = new Operation(
                "gather", Optional.empty(), root, input.dtype(), input.elements() * worldSize(), call.label());
        count(operation, rank == root ? 0 : input.elements());
        return collective(new Contribution(operation, List.of(input, output), call.after()));
    }

    @Override
    public Work allToAll(Tensor input, Tensor output, Call call) {
        requireAlike(input, output, call);
        Operation operation = Operation.of("allToAll", input.dtype(), input.elements(), call.label());
        count(operation, input.elements() - input.elements() / worldSize());
        return collective(new Contribution(operation, List.of(input, output), call.after()));
    }

    @Override
    public Work broadcast(Tensor data, int root, Call call) {
        requireRank("broadcast", "root", root, call);
        Operation operation =
                new Operation("broadcast", Optional.empty(), root, data.dtype(), data.elements(), call.label());
        count(operation, rank == root ? data.elements() * (worldSize() - 1) : 0);
        return collective(new Contribution(operation, List.of(data), call.after()));
    }

    @Override
    public Work send(Tensor data, int peer, Call call) {
        counter.add(new Traffic(data.elements(), data.byteSize(), 0));
        return pair("send", data, peer, call);
    }

    @Override
    public Work receive(Tensor data, int peer, Call call) {
        return pair("receive", data, peer, call);
    }

    @Override
    public Work barrier(Call call) {
        Operation operation = Operation.of("barrier", DType.I32, 0, call.label());
        count(operation, 0);
        return collective(new Contribution(operation, List.of(), call.after()));
    }

    @Override
    public Communicator split(int color, int key) {
        if (color < 0) {
            throw new IllegalArgumentException("rank " + rank + ": split color = " + color + ": must not be negative");
        }
        Operation operation = Operation.of("split", DType.I32, 0, "");
        count(operation, 0);
        Round round = arrive(-1, -1, new Contribution(operation, List.of(), Event.DONE, color, key));
        group.await(rank, round);
        Round.Place place = round.place(rank);
        Communicator part =
                new InProcessCommunicator(place.group(), place.rank(), new TrafficCounter(Optional.of(counter)));
        parts.add(part);
        return part;
    }

    @Override
    public Traffic traffic() {
        return counter.traffic();
    }

    @Override
    public void abort(String reason) {
        group.job().fail("rank " + rank + " aborted: " + reason);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        try {
            parts.forEach(Communicator::close);
            if (!group.job().failed()) {
                underWay.forEach(round -> group.await(rank, round));
            }
        } finally {
            closed = true;
            group.leave(rank);
        }
    }

    private Work pair(String name, Tensor data, int peer, Call call) {
        requireRank(name, "peer", peer, call);
        if (peer == rank) {
            throw new IllegalArgumentException("rank " + rank + ": " + name + " '" + call.label() + "': peer = " + peer
                    + " is this rank itself; copy the tensor instead");
        }
        Operation operation = Operation.of("send/receive", data.dtype(), data.elements(), call.label());
        int from = name.equals("send") ? rank : peer;
        return work(arrive(from, rank + peer - from, new Contribution(operation, List.of(data), call.after())));
    }

    private Work collective(Contribution contribution) {
        return work(arrive(-1, -1, contribution));
    }

    private Work work(Round round) {
        underWay.removeIf(Round::done);
        underWay.add(round);
        return new Work() {
            @Override
            public void await() {
                group.await(rank, round);
            }

            @Override
            public OptionalLong startedNanos() {
                return round.startedNanos();
            }

            @Override
            public OptionalLong doneNanos() {
                return round.doneNanos();
            }
        };
    }

    private Round arrive(int from, int to, Contribution contribution) {
        if (closed) {
            throw new CommunicatorException(
                    "rank " + rank + ": " + contribution.operation() + " on a communicator that is closed");
        }
        for (Tensor operand : contribution.operands()) {
            if (!accepts(operand.buffer().device())) {
                throw new IllegalArgumentException("rank " + rank + ": " + contribution.operation() + " got " + operand
                        + "; only host memory is accepted, so stage it there");
            }
        }
        long sequence = sequences.merge(from * 65536L + to, 1L, Long::sum) - 1;
        return group.arrive(rank, new Round.Key(from, to, sequence), contribution);
    }

    private void count(Operation operation, long elements) {
        counter.add(new Traffic(elements, elements * operation.dtype().byteSize(), 1));
    }

    private void requireShards(String name, Tensor whole, Tensor shard, Call call) {
        if (whole.dtype() != shard.dtype() || whole.elements() != shard.elements() * worldSize()) {
            throw new IllegalArgumentException("rank " + rank + ": " + name + " '" + call.label() + "' got " + whole
                    + " for the whole and " + shard + " for a shard of " + worldSize()
                    + "; the whole must have the shard's type and " + worldSize() + " times its elements");
        }
    }

    private void requireAlike(Tensor input, Tensor output, Call call) {
        if (input.dtype() != output.dtype()
                || input.elements() != output.elements()
                || input.elements() % worldSize() != 0) {
            throw new IllegalArgumentException("rank " + rank + ": allToAll '" + call.label() + "' got " + input
                    + " and " + output + " for " + worldSize()
                    + " shards each; both must have the same type and as many"
                    + " elements, a multiple of " + worldSize());
        }
    }

    private void requireRank(String name, String what, int value, Call call) {
        if (value < 0 || value >= worldSize()) {
            throw new IllegalArgumentException("rank " + rank + ": " + name + " '" + call.label() + "': " + what + " = "
                    + value + ": must be in 0.." + (worldSize() - 1));
        }
    }
}
