package ds.comm.tcp;

import ds.api.Event;
import java.lang.foreign.MemorySegment;

/**
 * A large reduction by direct pairwise exchange: every rank sends shard r to rank r, which combines the pieces of all ranks in
 * the order of ranks as soon as they are there, and for an allReduce sends each combined piece to everyone at once, so that the
 * two halves overlap. For N ranks and S bytes: each sends and receives S(N−1)/N for a reduceScatter, twice that for an
 * allReduce, which is the least possible. The order of summation is that of the ranks whatever the sizes: results repeat bit
 * for bit, and do not depend on how a buffer is cut.
 *
 * <p>The count need not divide by N: the first ranks own one element more.
 */
final class Reduction extends Operation {
    private final MemorySegment input;
    private final MemorySegment output;
    private final boolean all;
    private final Inflow[] inboxes;
    private final MemorySegment[] sources;
    private long combined;

    /**
     * Combines.
     *
     * @param output of an allReduce, {@code input} itself; of a reduceScatter, one shard
     */
    Reduction(Group group, Descriptor descriptor, Event after, MemorySegment input, MemorySegment output) {
        super(group, descriptor, after);
        this.input = input;
        all = descriptor.operation() == OperationKind.ALL_REDUCE;
        this.output = all ? shard(group.rank()) : output;
        inboxes = new Inflow[group.size()];
        sources = new MemorySegment[group.size()];
    }

    private MemorySegment shard(int member) {
        int elementBytes = descriptor().dtype().byteSize();
        long each = descriptor().count() / group().size();
        long more = descriptor().count() % group().size();
        long first = member * each + Math.min(member, more);
        return input.asSlice(first * elementBytes, (each + (member < more ? 1 : 0)) * elementBytes);
    }

    @Override
    void prepare() {
        for (int peer : group().peers()) {
            outflow(FrameKind.DATA, peer, shard(peer), shard(peer).byteSize());
            inboxes[peer] = inflow(FrameKind.DATA, peer, group().inbox(peer), output.byteSize());
            if (all) {
                outflow(FrameKind.RESULT, peer, output, 0);
                inflow(FrameKind.RESULT, peer, shard(peer), shard(peer).byteSize());
            }
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
            sources[r] = r == group().rank() ? shard(r).asSlice(combined, bytes) : inboxes[r].slice(combined, bytes);
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
            if (all) {
                makeAvailable(FrameKind.RESULT, peer, combined);
            }
        }
    }
}
