package ds.comm.tcp.collective;

import ds.api.comm.Call;
import ds.comm.tcp.flow.Inflow;
import ds.comm.tcp.flow.Memory;
import ds.comm.tcp.flow.Parts;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Operation;
import java.lang.foreign.MemorySegment;

/**
 * A chain from the root through all ranks, those of a host one after the other, along which pieces follow each other: each rank
 * receives S bytes and sends as many, whatever the number of ranks, and the last one has them N−2 pieces later than the second. A
 * small tensor travels straight from the root to all.
 */
final class Broadcast extends Operation {
    private final MemorySegment data;
    private final boolean small;
    private final int root;
    private final int previous;
    private final int next;

    Broadcast(Group group, Descriptor descriptor, Call call, MemorySegment data) {
        super(group, descriptor, call);
        this.data = data;
        root = descriptor.root();
        small = data.byteSize() <= Header.MAX_INLINE_BYTES;
        previous = group.ring().previous();
        next = group.ring().next();
    }

    @Override
    protected void prepare() {
        if (small) {
            return;
        }
        boolean isRoot = group().rank() == root;
        if (next != root) {
            outflow(FrameKind.DATA, next, Parts.of(data), isRoot ? data.byteSize() : 0);
        }
        if (!isRoot) {
            inflow(FrameKind.DATA, previous, new Inflow.Straight(Parts.of(data)));
        }
    }

    @Override
    protected void arrived(FrameKind kind, int member) {
        if (next != root) {
            makeAvailable(FrameKind.DATA, next, inflow(FrameKind.DATA, previous).received());
        }
    }

    @Override
    protected MemorySegment inline(int member) {
        return small && group().rank() == root ? data : NOTHING;
    }

    @Override
    protected long expectedInline(int member) {
        return small && member == root ? data.byteSize() : 0;
    }

    @Override
    protected void take(int member, MemorySegment inline) {
        if (small && member == root) {
            Memory.copy(inline, data);
        }
    }
}
