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
import java.util.Arrays;

/**
 * Parts of operands go straight from rank to rank, each pair in both directions at once; small ones with the START. An
 * allGather, a gather, an allToAll, and one rank's half of a transfer differ only in which parts these are. For N ranks and S
 * bytes in all an allGather or allToAll sends and receives S(N−1)/N, which is the least possible.
 */
final class Exchange extends Operation {
    private final MemorySegment[] outgoing;
    private final MemorySegment[] incoming;

    /**
     * Moves parts.
     *
     * @param outgoing for each member what it gets from this rank; {@link #NOTHING} if that is nothing. This rank's own part
     *     is copied
     * @param incoming for each member where its part goes, of the size that it sends
     */
    Exchange(Group group, Descriptor descriptor, Call call, MemorySegment[] outgoing, MemorySegment[] incoming) {
        super(group, descriptor, call);
        this.outgoing = outgoing;
        this.incoming = incoming;
    }

    /** {@return what moves in an allGather} */
    static Exchange allGather(
            Group group, Descriptor descriptor, Call call, MemorySegment input, MemorySegment[] outputs) {
        MemorySegment[] outgoing = new MemorySegment[group.size()];
        Arrays.fill(outgoing, input);
        return new Exchange(group, descriptor, call, outgoing, outputs);
    }

    @Override
    protected void prepare() {
        int self = group().rank();
        if (incoming[self].byteSize() > 0) {
            Memory.copy(outgoing[self], incoming[self]);
        }
        for (int peer : peers()) {
            if (!small(outgoing[peer])) {
                outflow(FrameKind.DATA, peer, Parts.of(outgoing[peer]), outgoing[peer].byteSize());
            }
            if (!small(incoming[peer])) {
                inflow(FrameKind.DATA, peer, new Inflow.Straight(Parts.of(incoming[peer])));
            }
        }
    }

    private static boolean small(MemorySegment part) {
        return part.byteSize() <= Header.MAX_INLINE_BYTES;
    }

    @Override
    protected MemorySegment inline(int member) {
        return small(outgoing[member]) ? outgoing[member] : NOTHING;
    }

    @Override
    protected long expectedInline(int member) {
        return small(incoming[member]) ? incoming[member].byteSize() : 0;
    }

    @Override
    protected void take(int member, MemorySegment inline) {
        if (inline.byteSize() > 0) {
            Memory.copy(inline, incoming[member]);
        }
    }
}
