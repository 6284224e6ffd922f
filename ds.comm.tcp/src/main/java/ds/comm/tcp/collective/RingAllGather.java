package ds.comm.tcp.collective;

import ds.api.comm.Call;
import ds.comm.tcp.flow.Inflow;
import ds.comm.tcp.flow.Memory;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Operation;
import ds.comm.tcp.group.RingOrder;
import java.lang.foreign.MemorySegment;

/**
 * A large allGather along a ring in which the ranks of a host follow each other: every rank sends its own shard to the next one,
 * then passes on what it gets from the one before, piece by piece. For N ranks and S bytes each rank sends and receives S(N−1)/N,
 * and so does each host; between hosts of several ranks {@link HierarchicalGather} sends less. One stream into every rank and one
 * out of it: nobody is sent more than its link carries.
 */
final class RingAllGather extends Operation {
    private final MemorySegment input;
    private final MemorySegment[] outputs;
    private final RingOrder ring;

    RingAllGather(Group group, Descriptor descriptor, Call call, MemorySegment input, MemorySegment[] outputs) {
        super(group, descriptor, call);
        this.input = input;
        this.outputs = outputs;
        ring = group.ring();
    }

    @Override
    protected void prepare() {
        Memory.copy(input, outputs[group().rank()]);
        outflow(FrameKind.DATA, ring.next(), ring.passedOn(outputs), input.byteSize());
        inflow(FrameKind.DATA, ring.previous(), new Inflow.Straight(ring.received(outputs)));
    }

    @Override
    protected void arrived(FrameKind kind, int member) {
        long received = inflow(FrameKind.DATA, ring.previous()).received();
        makeAvailable(FrameKind.DATA, ring.next(), input.byteSize() + received);
    }
}
