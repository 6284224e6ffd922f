package ds.comm.tcp.collective;

import ds.api.comm.Call;
import ds.comm.tcp.flow.Memory;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Operation;
import java.lang.foreign.MemorySegment;

/**
 * A reduction of few bytes, in one exchange: every rank sends each other one what that one needs, with the START, and
 * combines what it has got in the order of ranks. For an allReduce that is everything, so that all compute the same.
 */
final class SmallReduction extends Operation {
    private final MemorySegment input;
    private final MemorySegment output;
    private final MemorySegment[] sources;

    /**
     * Combines.
     *
     * @param output of an allReduce, {@code input} itself; of a reduceScatter, one shard
     */
    SmallReduction(Group group, Descriptor descriptor, Call call, MemorySegment input, MemorySegment output) {
        super(group, descriptor, call);
        this.input = input;
        this.output = output;
        sources = new MemorySegment[group.size()];
    }

    /** {@return whether so many bytes per peer should travel this way} */
    static boolean fits(OperationKind kind, long inputBytes, int worldSize) {
        if (worldSize == 1) {
            return true;
        }
        return switch (kind) {
            case ALL_REDUCE -> inputBytes * Math.max(2, worldSize - 1) <= 2L * Header.MAX_INLINE_BYTES;
            case REDUCE -> inputBytes <= Header.MAX_INLINE_BYTES;
            default -> inputBytes / worldSize <= Header.MAX_INLINE_BYTES;
        };
    }

    @Override
    protected void prepare() {
        sources[group().rank()] = contribution(group().rank());
    }

    private MemorySegment contribution(int member) {
        boolean scatter = descriptor().operation() == OperationKind.REDUCE_SCATTER;
        return scatter ? input.asSlice(member * output.byteSize(), output.byteSize()) : input;
    }

    /** {@return whether a member gets the result, or the part of it that is its own} */
    private boolean receives(int member) {
        return descriptor().operation() != OperationKind.REDUCE
                || member == descriptor().root();
    }

    @Override
    protected MemorySegment inline(int member) {
        return receives(member) ? contribution(member) : NOTHING;
    }

    @Override
    protected long expectedInline(int member) {
        return receives(group().rank()) ? output.byteSize() : 0;
    }

    @Override
    protected void take(int member, MemorySegment inline) {
        sources[member] = inline;
    }

    @Override
    protected void finish() {
        if (group().size() == 1) {
            Memory.copy(input, output);
            return;
        }
        if (!receives(group().rank())) {
            return;
        }
        group().combine(sources, output, descriptor());
    }
}
