package ds.comm.tcp.collective;

import ds.api.comm.Call;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Operation;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The operations of one group, each by the algorithm that suits its size and where the ranks are. Any thread may use it: what it
 * makes has not begun.
 */
public final class Collectives {
    /** Fewer bytes do not pay for the steps of a hierarchy. */
    private static final long HIERARCHICAL_BYTES = 1 << 20;

    private final Group group;
    private final Optional<Hierarchy> hierarchy;

    public Collectives(Group group) {
        this.group = group;
        hierarchy = Hierarchy.of(group);
    }

    /** {@return the groups of which its hierarchy consists} */
    public List<Group> parts() {
        return hierarchy.map(Hierarchy::parts).orElse(List.of());
    }

    /**
     * An allReduce, reduceScatter or reduce.
     *
     * @param output of a reduceScatter, one shard; else {@code input}
     */
    public Operation reduce(Descriptor descriptor, Call call, MemorySegment input, MemorySegment output) {
        if (SmallReduction.fits(descriptor.operation(), input.byteSize(), group.size())) {
            return new SmallReduction(group, descriptor, call, input, output);
        }
        boolean root = descriptor.operation() == OperationKind.REDUCE;
        if (!root && hierarchy.isPresent() && input.byteSize() >= HIERARCHICAL_BYTES) {
            boolean all = descriptor.operation() == OperationKind.ALL_REDUCE;
            MemorySegment[] inputs = all ? new MemorySegment[] {input} : shards(input, descriptor);
            return new HierarchicalReduction(group, hierarchy.get(), descriptor, call, inputs, output);
        }
        MemorySegment[] inputs = shards(input, descriptor);
        boolean scatter = descriptor.operation() == OperationKind.REDUCE_SCATTER;
        return new Reduction(group, descriptor, call, inputs, scatter ? output : inputs[group.rank()]);
    }

    public Operation allGather(Descriptor descriptor, Call call, MemorySegment input, MemorySegment output) {
        MemorySegment[] outputs = shards(output, descriptor);
        boolean large = output.byteSize() >= HIERARCHICAL_BYTES && input.byteSize() > Header.MAX_INLINE_BYTES;
        if (large && hierarchy.isPresent()) {
            return new HierarchicalGather(group, hierarchy.get(), descriptor, call, input, outputs);
        }
        return group.inRing(descriptor.bytes())
                ? new RingAllGather(group, descriptor, call, input, outputs)
                : Exchange.allGather(group, descriptor, call, input, outputs);
    }

    /**
     * A gather.
     *
     * @param output of the root, for the whole; of others, nothing
     */
    public Operation gather(Descriptor descriptor, Call call, MemorySegment input, Optional<MemorySegment> output) {
        MemorySegment[] outgoing = nothing();
        outgoing[descriptor.root()] = input;
        MemorySegment[] incoming = output.isPresent() ? shards(output.get(), descriptor) : nothing();
        return new Exchange(group, descriptor, call, outgoing, incoming);
    }

    public Operation allToAll(Descriptor descriptor, Call call, MemorySegment input, MemorySegment output) {
        return new Exchange(group, descriptor, call, shards(input, descriptor), shards(output, descriptor));
    }

    public Operation broadcast(Descriptor descriptor, Call call, MemorySegment data) {
        return new Broadcast(group, descriptor, call, data);
    }

    /** One rank's half of a transfer: a send or a receive. */
    public Operation transfer(Descriptor descriptor, Call call, MemorySegment data, int peer) {
        MemorySegment[] outgoing = nothing();
        MemorySegment[] incoming = nothing();
        (descriptor.operation() == OperationKind.SEND ? outgoing : incoming)[peer] = data;
        return new Exchange(group, descriptor, call, outgoing, incoming);
    }

    public Operation barrier(Descriptor descriptor, Call call) {
        return new Barrier(group, descriptor, call);
    }

    private MemorySegment[] shards(MemorySegment whole, Descriptor descriptor) {
        return Shards.of(whole, descriptor.count(), descriptor.dtype().byteSize(), group.size());
    }

    private MemorySegment[] nothing() {
        MemorySegment[] parts = new MemorySegment[group.size()];
        Arrays.fill(parts, MemorySegment.NULL);
        return parts;
    }
}
