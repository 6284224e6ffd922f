package ds.comm.tcp;

import ds.api.Event;
import java.lang.foreign.MemorySegment;

/**
 * A large reduction by direct pairwise exchange: every rank sends shard r to rank r, which combines the pieces of all ranks in
 * the order of ranks as soon as they are there, and for an allReduce sends each combined piece to everyone at once, so that the
 * two halves overlap; for a reduce, to the root. For N ranks and S bytes: each sends and receives S(N−1)/N for a reduceScatter,
 * twice that for an allReduce, which is the least possible. The order of summation is that of the ranks whatever the sizes:
 * results repeat bit for bit, and do not depend on how a buffer is cut.
 */
final class Reduction extends Operation {
    private final MemorySegment[] inputs;
    private final MemorySegment output;
    private final Inflow[] inboxes;
    private final MemorySegment[] sources;
    private int[] receivers = {};
    private long combined;

    /**
     * Combines.
     *
     * @param inputs this rank's operand, cut into the shard of each member
     * @param output of a reduceScatter, one shard; else the own one of {@code inputs}
     */
    Reduction(Group group, Descriptor descriptor, Event after, MemorySegment[] inputs, MemorySegment output) {
        super(group, descriptor, after);
        this.inputs = inputs;
        this.output = output;
        inboxes = new Inflow[group.size()];
        sources = new MemorySegment[group.size()];
    }

    /** {@return who gets the result of a shard, besides its owner} */
    private int[] receivers(int owner) {
        int root = descriptor().root();
        return switch (descriptor().operation()) {
            case ALL_REDUCE -> group().peers();
            case REDUCE -> owner == root ? new int[0] : new int[] {root};
            default -> new int[0];
        };
    }

    @Override
    void prepare() {
        int self = group().rank();
        receivers = receivers(self);
        boolean receives = descriptor().operation() == OperationKind.ALL_REDUCE
                || (descriptor().operation() == OperationKind.REDUCE
                        && self == descriptor().root());
        for (int peer : group().peers()) {
            outflow(FrameKind.DATA, peer, inputs[peer], inputs[peer].byteSize());
            inboxes[peer] = inflow(FrameKind.DATA, peer, group().inbox(peer), output.byteSize());
            if (receives) {
                inflow(FrameKind.RESULT, peer, inputs[peer], inputs[peer].byteSize());
            }
        }
        for (int receiver : receivers) {
            outflow(FrameKind.RESULT, receiver, output, 0);
        }
    }

    @Override
    int credit() {
        return (int) (group().inboxBytes() / Header.PIECE_BYTES);
    }

    @Override
    void arrived(FrameKind kind, int member) {
        if (kind != FrameKind.DATA) {
            return;
        }
        while (combined < output.byteSize()) {
            long bytes = Math.min(Header.PIECE_BYTES, output.byteSize() - combined);
            for (int peer : group().peers()) {
                if (inboxes[peer].received() < combined + bytes) {
                    return;
                }
            }
            combine(bytes);
        }
    }

    private void combine(long bytes) {
        for (int r = 0; r < sources.length; r++) {
            sources[r] = r == group().rank() ? inputs[r].asSlice(combined, bytes) : inboxes[r].slice(combined, bytes);
        }
        MemorySegment target = output.asSlice(combined, bytes);
        group().mesh()
                .combiner(descriptor().dtype())
                .combine(sources, target, descriptor().reduce());
        combined += bytes;
        for (int peer : group().peers()) {
            if (inboxes[peer].release(combined)) {
                group().credit(peer, this, inboxes[peer].granted());
            }
        }
        for (int receiver : receivers) {
            makeAvailable(FrameKind.RESULT, receiver, combined);
        }
    }
}
