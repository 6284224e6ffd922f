package ds.comm.tcp;

import ds.api.DType;
import ds.api.Device;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import ds.api.comm.Work;
import ds.comm.tcp.collective.Collectives;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Operation;
import ds.comm.tcp.mesh.Mesh;
import java.lang.foreign.MemorySegment;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.IntStream;

/** A group over a {@link Mesh}: checks what the caller passes, and queues it. Any thread may use it. */
final class TcpCommunicator implements Communicator {
    private final Mesh mesh;
    private final Group group;
    private final Collectives collectives;
    private final boolean whole;

    private TcpCommunicator(Mesh mesh, Group group) {
        this.mesh = mesh;
        this.group = group;
        collectives = new Collectives(group);
        whole = group.id() == 0;
        mesh.register(group, collectives.parts());
    }

    /** {@return the communicator of a whole job, which owns the mesh} */
    static TcpCommunicator world(Mesh mesh) {
        int[] all = IntStream.range(0, mesh.job().worldSize()).toArray();
        return new TcpCommunicator(mesh, new Group(mesh.job(), 0, all, Optional.empty()));
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
        return start(collectives.reduce(descriptor, call, memory, memory));
    }

    @Override
    public Work reduceScatter(Tensor input, Tensor output, ReduceOp op, Call call) {
        Descriptor descriptor = descriptor(OperationKind.REDUCE_SCATTER, op, input, 0, call);
        requireShards(descriptor, input, output);
        return start(collectives.reduce(descriptor, call, host(input, descriptor), host(output, descriptor)));
    }

    @Override
    public Work reduce(Tensor data, ReduceOp op, int root, Call call) {
        Descriptor descriptor = descriptor(OperationKind.REDUCE, op, data, root, call);
        requireRank(descriptor, "root", root);
        MemorySegment memory = host(data, descriptor);
        return start(collectives.reduce(descriptor, call, memory, memory));
    }

    @Override
    public Work allGather(Tensor input, Tensor output, Call call) {
        Descriptor descriptor = descriptor(OperationKind.ALL_GATHER, ReduceOp.SUM, output, 0, call);
        requireShards(descriptor, output, input);
        return start(collectives.allGather(descriptor, call, host(input, descriptor), host(output, descriptor)));
    }

    @Override
    public Work gather(Tensor input, Tensor output, int root, Call call) {
        long whole = input.elements() * worldSize();
        Descriptor descriptor =
                new Descriptor(OperationKind.GATHER, ReduceOp.SUM, input.dtype(), root, whole, call.label());
        requireRank(descriptor, "root", root);
        MemorySegment own = host(input, descriptor);
        if (rank() == root) {
            requireShards(descriptor, output, input);
            return start(collectives.gather(descriptor, call, own, Optional.of(host(output, descriptor))));
        }
        return start(collectives.gather(descriptor, call, own, Optional.empty()));
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
        return start(collectives.allToAll(descriptor, call, host(input, descriptor), host(output, descriptor)));
    }

    @Override
    public Work broadcast(Tensor data, int root, Call call) {
        Descriptor descriptor = descriptor(OperationKind.BROADCAST, ReduceOp.SUM, data, root, call);
        requireRank(descriptor, "root", root);
        return start(collectives.broadcast(descriptor, call, host(data, descriptor)));
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
        Operation operation = collectives.transfer(descriptor, call, host(data, descriptor), peer);
        mesh.enqueue(operation, group.lane(kind, peer));
        return operation.work();
    }

    @Override
    public Work barrier(Call call) {
        Descriptor descriptor = new Descriptor(OperationKind.BARRIER, DType.I32, 0, call.label());
        return start(collectives.barrier(descriptor, call));
    }

    /**
     * The ranks exchange colors, keys and a number each; the first member's rank and number become the new group's id. Nobody
     * passes the barrier before all know the new group, so that nothing about it arrives early.
     */
    @Override
    public Communicator split(int color, int key) {
        if (color < 0) {
            throw new IllegalArgumentException(
                    "rank " + mesh.job().rank() + ": split color = " + color + ": must not be negative");
        }
        int[] mine = {color, key, mesh.job().nextGroupNumber()};
        int[] all = new int[mine.length * worldSize()];
        Descriptor descriptor = new Descriptor(OperationKind.ALL_GATHER, DType.I32, all.length, "split");
        start(collectives.allGather(
                        descriptor, Call.now("split"), MemorySegment.ofArray(mine), MemorySegment.ofArray(all)))
                .await();
        int[] members = IntStream.range(0, worldSize())
                .filter(member -> all[3 * member] == color)
                .boxed()
                .sorted(Comparator.comparingInt(member -> all[3 * member + 1]))
                .mapToInt(member -> member)
                .toArray();
        long id = (long) group.worldRank(members[0]) << 32 | all[3 * members[0] + 2];
        int[] worldRanks = IntStream.of(members).map(group::worldRank).toArray();
        Communicator part = new TcpCommunicator(mesh, new Group(mesh.job(), id, worldRanks, Optional.of(group)));
        barrier(Call.now("split")).await();
        return part;
    }

    @Override
    public int ranksPerHost() {
        return group.members().consecutivePerHost();
    }

    @Override
    public Traffic traffic() {
        return group.traffic();
    }

    @Override
    public void abort(String reason) {
        mesh.job().abort("aborted: " + reason);
    }

    @Override
    public void close() {
        if (whole) {
            mesh.close();
        } else {
            mesh.leave(group, collectives.parts()).await();
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
        return new IllegalArgumentException("rank " + mesh.job().rank() + ": " + descriptor + ": " + what);
    }
}
