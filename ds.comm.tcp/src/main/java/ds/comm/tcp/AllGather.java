package ds.comm.tcp;

import ds.api.Event;
import java.lang.foreign.MemorySegment;

/**
 * Every rank sends its shard straight to every other one. For N ranks and S bytes in all: each sends and receives S(N−1)/N,
 * which is the least possible, all directions at once.
 */
final class AllGather extends Operation {
    private final MemorySegment input;
    private final MemorySegment output;
    private final boolean small;

    AllGather(Group group, Descriptor descriptor, Event after, MemorySegment input, MemorySegment output) {
        super(group, descriptor, after);
        this.input = input;
        this.output = output;
        small = input.byteSize() <= Header.MAX_INLINE_BYTES;
    }

    @Override
    void prepare() {
        Memory.copy(input, shard(group().rank()));
        if (!small) {
            for (int peer : group().peers()) {
                outflow(FrameKind.DATA, peer, input, input.byteSize());
                inflow(FrameKind.DATA, peer, shard(peer), input.byteSize());
            }
        }
    }

    private MemorySegment shard(int member) {
        return output.asSlice(member * input.byteSize(), input.byteSize());
    }

    @Override
    MemorySegment inline(int member) {
        return small ? input : NOTHING;
    }

    @Override
    long expectedInline(int member) {
        return small ? input.byteSize() : 0;
    }

    @Override
    void take(int member, MemorySegment inline) {
        if (small) {
            Memory.copy(inline, shard(member));
        }
    }
}
