package ds.comm.tcp.collective;

import ds.api.comm.Call;
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
final class HierarchicalReduction extends Hierarchical {
    private final MemorySegment[] inputs;
    private final MemorySegment output;

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
            Call call,
            MemorySegment[] inputs,
            MemorySegment output) {
        super(group, hierarchy, descriptor, call);
        this.inputs = inputs;
        this.output = output;
    }

    /** All ranks are there, and want the same. */
    @Override
    protected void met() {
        boolean all = descriptor().operation() == OperationKind.ALL_REDUCE;
        long most = all
                ? hierarchy().chunkBytesInPlace() * hierarchy().perHost()
                : hierarchy().chunkBytes();
        MemorySegment[] chunks = chunks(all ? inputs[0] : output, most);
        consistsOf(chunks.length);
        Operation[] summed = new Operation[chunks.length];
        long at = 0;
        for (int chunk = 0; chunk < chunks.length; chunk++) {
            summed[chunk] = all
                    ? allReduce(chunk, chunks[chunk])
                    : reduceScatter(
                            chunk, at, chunks[chunk], chunk < Hierarchy.SLOTS ? null : summed[chunk - Hierarchy.SLOTS]);
            at += chunks[chunk].byteSize();
        }
    }

    private Operation allReduce(int chunk, MemorySegment data) {
        Group inHost = hierarchy().inHost();
        MemorySegment[] shares = parts(data, inHost.size());
        MemorySegment own = shares[inHost.rank()];
        Operation sum = new Reduction(inHost, part(OperationKind.REDUCE_SCATTER, data.byteSize()), call(), shares, own);
        Group rail = hierarchy().rail(chunk);
        MemorySegment[] ofHosts = parts(own, rail.size());
        Operation across = new Reduction(
                rail, part(OperationKind.ALL_REDUCE, own.byteSize()), call(), ofHosts, ofHosts[rail.rank()]);
        Operation spread = Exchange.allGather(
                hierarchy().backInHost(), part(OperationKind.ALL_GATHER, data.byteSize()), call(), own, shares);
        sum.then(across::oneIsDone);
        across.then(spread::oneIsDone);
        spread.then(this::partIsDone);
        queue(spread, 1);
        queue(across, 1);
        queue(sum, 0);
        return spread;
    }

    /** @param before what uses the same slots, or null */
    private Operation reduceScatter(int chunk, long at, MemorySegment result, Operation before) {
        Group inHost = hierarchy().inHost();
        Group rail = hierarchy().rail(chunk);
        RingOrder order = group().ring();
        MemorySegment[] sums = new MemorySegment[hierarchy().hosts()];
        Operation[] local = new Operation[sums.length];
        for (int host = 0; host < sums.length; host++) {
            sums[host] = hierarchy().slot(chunk, host).asSlice(0, result.byteSize());
            MemorySegment[] shares = new MemorySegment[inHost.size()];
            for (int i = 0; i < shares.length; i++) {
                shares[i] = inputs[order.member(host * shares.length + i)].asSlice(at, result.byteSize());
            }
            local[host] = new Reduction(
                    inHost,
                    part(OperationKind.REDUCE_SCATTER, result.byteSize() * shares.length),
                    call(),
                    shares,
                    sums[host]);
        }
        Operation across = new Reduction(
                rail, part(OperationKind.REDUCE_SCATTER, result.byteSize() * sums.length), call(), sums, result);
        across.then(this::partIsDone);
        queue(across, local.length);
        for (Operation sum : local) {
            sum.then(across::oneIsDone);
            if (before != null) {
                before.then(sum::oneIsDone);
            }
            queue(sum, before == null ? 0 : 1);
        }
        return across;
    }
}
