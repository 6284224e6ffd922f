package ds.comm.tcp;

import ds.api.DType;
import ds.api.Device;
import ds.api.Event;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import ds.api.comm.Work;
import java.lang.foreign.MemorySegment;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.IntStream;

/** A group over a {@link Mesh}: checks what the caller passes, and queues it. Any thread may use it. */
final class TcpCommunicator implements Communicator {
    /** Fewer bytes do not pay for the steps of a hierarchy. */
    private static final long HIERARCHICAL_BYTES = 1 << 20;

    private final Mesh mesh;
    private final Group group;
    private final boolean whole;

    private TcpCommunicator(Mesh mesh, Group group) {
        this.mesh = mesh;
        this.group = group;
        whole = group.id() == 0;
        mesh.register(group);
    }

    /** {@return the communicator of a whole job, which owns the mesh} */
    static TcpCommunicator world(Mesh mesh, int worldSize) {
        int[] all = IntStream.range(0, worldSize).toArray();
        return new TcpCommunicator(mesh, new Group(mesh, 0, all, Optional.empty()));
    }

    @Override
    public int rank() {
        return group.rank();
    }

    @Override
    public int worldSize() {
        return group.size();
    }

    @Override
    public boolean accepts(Device device) {
        return device.equals(Device.HOST);
    }

    @Override
    public Work allReduce(Tensor data, ReduceOp op, Call call) {
        Descriptor descriptor = descriptor(OperationKind.ALL_REDUCE, op, data, 0, call);
        MemorySegment memory = host(data, descriptor);
        return reduce(descriptor, memory, memory, call);
    }

    @Override
    public Work reduceScatter(Tensor input, Tensor output, ReduceOp op, Call call) {
        Descriptor descriptor = descriptor(OperationKind.REDUCE_SCATTER, op, input, 0, call);
        requireShards(descriptor, input, output);
        return reduce(descriptor, host(input, descriptor), host(output, descriptor), call);
    }

    @Override
    public Work reduce(Tensor data, ReduceOp op, int root, Call call) {
        Descriptor descriptor = descriptor(OperationKind.REDUCE, op, data, root, call);
        requireRank(descriptor, "root", root);
        MemorySegment memory = host(data, descriptor);
        return reduce(descriptor, memory, memory, call);
    }

    private Work reduce(Descriptor descriptor, MemorySegment input, MemorySegment output, Call call) {
        if (SmallReduction.fits(descriptor.operation(), input.byteSize(), worldSize())) {
            return start(new SmallReduction(group, descriptor, call.after(), input, output));
        }
        boolean root = descriptor.operation() == OperationKind.REDUCE;
        if (!root && group.hierarchy().isPresent() && input.byteSize() >= HIERARCHICAL_BYTES) {
            return start(hierarchical(group.hierarchy().get(), descriptor, input, output, call));
        }
        MemorySegment[] inputs = shards(input, descriptor);
        boolean scatter = descriptor.operation() == OperationKind.REDUCE_SCATTER;
        return start(new Reduction(group, descriptor, call.after(), inputs, scatter ? output : inputs[rank()]));
    }

    private Operation hierarchical(
            Hierarchy hierarchy, Descriptor descriptor, MemorySegment input, MemorySegment output, Call call) {
        boolean all = descriptor.operation() == OperationKind.ALL_REDUCE;
        MemorySegment[] inputs = all ? new MemorySegment[] {input} : shards(input, descriptor);
        return new HierarchicalReduction(group, hierarchy, descriptor, call.after(), inputs, output);
    }

    @Override
    public Work allGather(Tensor input, Tensor output, Call call) {
        Descriptor descriptor = descriptor(OperationKind.ALL_GATHER, ReduceOp.SUM, output, 0, call);
        requireShards(descriptor, output, input);
        MemorySegment[] outputs = shards(host(output, descriptor), descriptor);
        MemorySegment own = host(input, descriptor);
        return start(
                group.inRing(descriptor.bytes())
                        ? new RingAllGather(group, descriptor, call.after(), own, outputs)
                        : Exchange.allGather(group, descriptor, call.after(), own, outputs));
    }

    @Override
    public Work gather(Tensor input, Tensor output, int root, Call call) {
        long whole = input.elements() * worldSize();
        Descriptor descriptor =
                new Descriptor(OperationKind.GATHER, ReduceOp.SUM, input.dtype(), root, whole, call.label());
        requireRank(descriptor, "root", root);
        MemorySegment[] outgoing = Exchange.nothing(group);
        outgoing[root] = host(input, descriptor);
        MemorySegment[] incoming = Exchange.nothing(group);
        if (rank() == root) {
            requireShards(descriptor, output, input);
            incoming = shards(host(output, descriptor), descriptor);
        }
        return start(new Exchange(group, descriptor, call.after(), outgoing, incoming));
    }

    @Override
    public Work allToAll(Tensor input, Tensor output, Call call) {
        Descriptor descriptor = descriptor(OperationKind.ALL_TO_ALL, ReduceOp.SUM, input, 0, call);
        if (input.dtype() != output.dtype()
                || input.elements() != output.elements()
                || input.elements() % worldSize() != 0) {
            throw wrong(
                    descriptor,
                    "got " + input + " and " + output
                            + "; both must have the same type and as many elements, a multiple" + " of " + worldSize());
        }
        MemorySegment[] outgoing = shards(host(input, descriptor), descriptor);
        MemorySegment[] incoming = shards(host(output, descriptor), descriptor);
        return start(new Exchange(group, descriptor, call.after(), outgoing, incoming));
    }

    private MemorySegment[] shards(MemorySegment whole, Descriptor descriptor) {
        return Shards.of(whole, descriptor.count(), descriptor.dtype().byteSize(), worldSize());
    }

    @Override
    public Work broadcast(Tensor data, int root, Call call) {
        Descriptor descriptor = descriptor(OperationKind.BROADCAST, ReduceOp.SUM, data, root, call);
        requireRank(descriptor, "root", root);
        return start(new Broadcast(group, descriptor, call.after(), host(data, descriptor)));
    }

    @Override
    public Work send(Tensor data, int peer, Call call) {
        return transfer(OperationKind.SEND, data, peer, call);
    }

    @Override
    public Work receive(Tensor data, int peer, Call call) {
        return transfer(OperationKind.RECEIVE, data, peer, call);
    }

    private Work transfer(OperationKind kind, Tensor data, int peer, Call call) {
        Descriptor descriptor = descriptor(kind, ReduceOp.SUM, data, 0, call);
        requireRank(descriptor, "peer", peer);
        if (peer == rank()) {
            throw wrong(descriptor, "peer = " + peer + " is this rank itself; copy the tensor instead");
        }
        MemorySegment[] outgoing = Exchange.nothing(group);
        MemorySegment[] incoming = Exchange.nothing(group);
        (kind == OperationKind.SEND ? outgoing : incoming)[peer] = host(data, descriptor);
        Operation operation = new Exchange(group, descriptor, call.after(), outgoing, incoming);
        mesh.enqueue(operation, group.lane(kind, peer));
        return operation.work();
    }

    @Override
    public Work barrier(Call call) {
        Descriptor descriptor = new Descriptor(OperationKind.BARRIER, DType.I32, 0, call.label());
        return start(new Barrier(group, descriptor, call.after()));
    }

    /**
     * The ranks exchange colors, keys and a number each; the first member's rank and number become the new group's id. Nobody
     * passes the barrier before all know the new group, so that nothing about it arrives early.
     */
    @Override
    public Communicator split(int color, int key) {
        if (color < 0) {
            throw new IllegalArgumentException(
                    "rank " + mesh.rank() + ": split color = " + color + ": must not be negative");
        }
        int[] mine = {color, key, mesh.nextGroupNumber()};
        int[] all = new int[mine.length * worldSize()];
        Descriptor descriptor = new Descriptor(OperationKind.ALL_GATHER, DType.I32, all.length, "split");
        MemorySegment[] places = shards(MemorySegment.ofArray(all), descriptor);
        start(Exchange.allGather(group, descriptor, Event.DONE, MemorySegment.ofArray(mine), places))
                .await();
        int[] members = IntStream.range(0, worldSize())
                .filter(member -> all[3 * member] == color)
                .boxed()
                .sorted(Comparator.comparingInt(member -> all[3 * member + 1]))
                .mapToInt(member -> member)
                .toArray();
        long id = (long) group.worldRank(members[0]) << 32 | all[3 * members[0] + 2];
        int[] worldRanks = IntStream.of(members).map(group::worldRank).toArray();
        Communicator part = new TcpCommunicator(mesh, new Group(mesh, id, worldRanks, Optional.of(group)));
        barrier(Call.now("split")).await();
        return part;
    }

    @Override
    public int ranksPerHost() {
        return group.consecutivePerHost();
    }

    @Override
    public Traffic traffic() {
        return group.traffic();
    }

    @Override
    public void abort(String reason) {
        mesh.abort("aborted: " + reason);
    }

    @Override
    public void close() {
        if (whole) {
            mesh.close();
        } else {
            TcpWork left = new TcpWork(mesh);
            mesh.leave(group, left);
            left.await();
        }
    }

    private Work start(Operation operation) {
        group.countCollective();
        mesh.enqueue(operation, group.lane(operation.descriptor().operation(), 0));
        return operation.work();
    }

    private static Descriptor descriptor(OperationKind kind, ReduceOp op, Tensor whole, int root, Call call) {
        return new Descriptor(kind, op, whole.dtype(), root, whole.elements(), call.label());
    }

    private MemorySegment host(Tensor operand, Descriptor descriptor) {
        if (!accepts(operand.buffer().device())) {
            throw wrong(descriptor, "got " + operand + "; only host memory is accepted, so stage it there");
        }
        return operand.host();
    }

    private void requireShards(Descriptor descriptor, Tensor whole, Tensor shard) {
        if (whole.dtype() != shard.dtype() || whole.elements() != shard.elements() * worldSize()) {
            throw wrong(
                    descriptor,
                    "got " + whole + " for the whole and " + shard + " for a shard; the whole must have"
                            + " the shard's type and " + worldSize() + " times its elements");
        }
    }

    private void requireRank(Descriptor descriptor, String what, int value) {
        if (value < 0 || value >= worldSize()) {
            throw wrong(descriptor, what + " = " + value + ": must be in 0.." + (worldSize() - 1));
        }
    }

    private IllegalArgumentException wrong(Descriptor descriptor, String what) {
        return new IllegalArgumentException("rank " + mesh.rank() + ": " + descriptor + ": " + what);
    }
}
