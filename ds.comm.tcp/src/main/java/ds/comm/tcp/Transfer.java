package ds.comm.tcp;

import ds.api.Event;
import java.lang.foreign.MemorySegment;

/** One tensor from one rank to another: this rank's half of it. */
final class Transfer extends Operation {
    private final MemorySegment data;
    private final int peer;
    private final boolean sends;
    private final boolean small;

    Transfer(Group group, Descriptor descriptor, Event after, MemorySegment data, int peer) {
        super(group, descriptor, after);
        this.data = data;
        this.peer = peer;
        sends = descriptor.operation() == OperationKind.SEND;
        small = data.byteSize() <= Header.MAX_INLINE_BYTES;
    }

    @Override
    void prepare() {
        if (!small && sends) {
            outflow(FrameKind.DATA, peer, data, data.byteSize());
        } else if (!small) {
            inflow(FrameKind.DATA, peer, data, data.byteSize());
        }
    }

    @Override
    MemorySegment inline(int member) {
        return small && sends ? data : NOTHING;
    }

    @Override
    long expectedInline(int member) {
        return small && !sends ? data.byteSize() : 0;
    }

    @Override
    void take(int member, MemorySegment inline) {
        if (small && !sends) {
            Memory.copy(inline, data);
        }
    }
}
