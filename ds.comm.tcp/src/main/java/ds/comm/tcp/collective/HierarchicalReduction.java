package ds.comm.tcp.collective;

import ds.api.DType;
import ds.api.Event;
import ds.api.comm.ReduceOp;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Operation;
import ds.comm.tcp.group.RingOrder;
import java.lang.foreign.MemorySegment;

/**
 * A large reduction where several ranks share a host: each host sums first, in memory; then the hosts sum, each pair of bytes
 * crossing the network once for a host and not once for a rank; and for an allReduce the results spread in each host. Chunks
 * follow each other through these levels, so that only the network is waited for. Per host S(H−1)/H bytes are sent and
 * received for a reduceScatter of S bytes over H hosts, twice that for an allReduce.
 *
 * <p>The order of summation is that of {@link ds.comm.tcp.combine.Combiner#combine} by hosts: the same for every chunk.
 */
final class HierarchicalReduction extends Operation {
    private final MemorySegment[] inputs;
    private final MemorySegment output;
    private final Hierarchy hierarchy;
    private final int elementBytes;
    private int left;

    /**
     * Combines.
     *
     * @param inputs this rank's operand, cut into the shard of each member; of an allReduce, the whole of it alone
     * @param output of a reduceScatter, one shard
     */
    HierarchicalReduction(
            Group group,
            Hierarchy hierarchy,
            Descriptor descriptor,
            Event after,
            MemorySegment[] inputs,
            MemorySegment output) {
        super(group, descriptor, after);
        this.inputs = inputs;
        this.output = output;
        this.hierarchy = hierarchy;
        elementBytes = descriptor.dtype().byteSize();
    }

    @Override
    protected void prepare() {
        hold();
    }

    /** All ranks are there, and want the same. */
    @Override
    protected void met() {
        boolean all = descriptor().operation() == OperationKind.ALL_REDUCE;
        long bytes = all ? inputs[0].byteSize() : output.byteSize();
        long each = hierarchy.chunkBytes() * (all ? hierarchy.perHost() : 1);
        int chunks = (int) ((bytes + each - 1) / each);
        left = chunks;
        MemorySegment[] parts = Shards.of(all ? inputs[0] : output, bytes / elementBytes, elementBytes, chunks);
        Operation[] summed = new Operation[chunks];
        long at = 0;
        for (int chunk = 0; chunk < chunks; chunk++) {
            summed[chunk] = all
                    ? allReduce(chunk, parts[chunk])
                    : reduceScatter(
                            chunk, at, parts[chunk], chunk < Hierarchy.SLOTS ? null : summed[chunk - Hierarchy.SLOTS]);
            at += parts[chunk].byteSize();
        }
    }

    private Operation allReduce(int chunk, MemorySegment data) {
        Group inHost = hierarchy.inHost();
        MemorySegment[] shares = Shards.of(data, data.byteSize() / elementBytes, elementBytes, inHost.size());
        MemorySegment own = shares[inHost.rank()];
        Operation sum = new Reduction(inHost, part(OperationKind.REDUCE_SCATTER, data), Event.DONE, shares, own);
        Group rail = hierarchy.rail(chunk);
        MemorySegment[] ofHosts = Shards.of(own, own.byteSize() / elementBytes, elementBytes, rail.size());
        Operation across =
                new Reduction(rail, part(OperationKind.ALL_REDUCE, own), Event.DONE, ofHosts, ofHosts[rail.rank()]);
        Operation spread = Exchange.allGather(
                hierarchy.backInHost(), part(OperationKind.ALL_GATHER, data), Event.DONE, own, shares);
        queue(sum, 0);
        queue(across, 1);
        queue(spread, 1);
        sum.then(across::oneIsDone);
        across.then(spread::oneIsDone);
        spread.then(this::chunkIsDone);
        return spread;
    }

    /** @param before what uses the same slots, or null */
    private Operation reduceScatter(int chunk, long at, MemorySegment result, Operation before) {
        Group inHost = hierarchy.inHost();
        Group rail = hierarchy.rail(chunk);
        RingOrder order = group().ring();
        MemorySegment[] sums = new MemorySegment[hierarchy.hosts()];
        Operation[] local = new Operation[sums.length];
        for (int host = 0; host < sums.length; host++) {
            sums[host] = hierarchy.slot(chunk, host).asSlice(0, result.byteSize());
            MemorySegment[] shares = new MemorySegment[inHost.size()];
            for (int i = 0; i < shares.length; i++) {
                shares[i] = inputs[order.member(host * shares.length + i)].asSlice(at, result.byteSize());
            }
            local[host] = new Reduction(
                    inHost,
                    part(OperationKind.REDUCE_SCATTER, result.byteSize() * shares.length),
                    Event.DONE,
                    shares,
                    sums[host]);
        }
        Operation across = new Reduction(
                rail, part(OperationKind.REDUCE_SCATTER, result.byteSize() * sums.length), Event.DONE, sums, result);
        for (Operation sum : local) {
            queue(sum, before == null ? 0 : 1);
            if (before != null) {
                before.then(sum::oneIsDone);
            }
            sum.then(across::oneIsDone);
        }
        queue(across, local.length);
        across.then(this::chunkIsDone);
        return across;
    }

    private Descriptor part(OperationKind kind, MemorySegment whole) {
        return part(kind, whole.byteSize());
    }

    private Descriptor part(OperationKind kind, long bytes) {
        DType dtype = descriptor().dtype();
        return new Descriptor(
                kind,
                kind == OperationKind.ALL_GATHER ? ReduceOp.SUM : descriptor().reduce(),
                dtype,
                0,
                bytes / elementBytes,
                descriptor().label());
    }

    /** @param others that have to be done before */
    private void queue(Operation operation, int others) {
        operation.isPartOf(this, others);
        operation.group().lane(operation.descriptor().operation(), 0).enqueue(operation);
    }

    private void chunkIsDone() {
        if (--left == 0) {
            finished();
        }
    }
}
