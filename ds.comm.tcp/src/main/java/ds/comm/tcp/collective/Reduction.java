package ds.comm.tcp.collective;

import ds.api.comm.Call;
import ds.comm.tcp.flow.Inflow;
import ds.comm.tcp.flow.Parts;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.FrameKind;
import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Operation;
import ds.comm.tcp.group.RingOrder;
import java.lang.foreign.MemorySegment;

/**
 * A large reduction by direct pairwise exchange: every rank sends shard r to rank r, which combines the pieces of all ranks in
 * the order of ranks as soon as they are there. For an allReduce each combined piece is sent on at once, so that the two halves
 * overlap: to everyone, as streams that go on keep their rate; or where ranks share hosts and it is large along a ring, as
 * {@link RingAllGather} does, so that it leaves a host once. For a reduce it is sent to the root. For N ranks and S bytes: each sends and
 * receives S(N−1)/N for a reduceScatter, twice that for an allReduce, which is the least possible. The order of summation is that of the
 * ranks whatever the sizes: results repeat bit for bit, and do not depend on how a buffer is cut.
 */
final class Reduction extends Operation {
    private final MemorySegment[] inputs;
    private final MemorySegment output;
    private final Inflow.Inbox[] inboxes;
    private final MemorySegment[] sources;
    private final RingOrder ring;
    private final boolean ringed;
    private int[] receivers = {};
    private long combined;
    private long firstNanos;

    /**
     * Combines.
     *
     * @param inputs this rank's operand, cut into the shard of each member
     * @param output of a reduceScatter, one shard; else the own one of {@code inputs}
     */
    Reduction(Group group, Descriptor descriptor, Call call, MemorySegment[] inputs, MemorySegment output) {
        super(group, descriptor, call);
        this.inputs = inputs;
        this.output = output;
        inboxes = new Inflow.Inbox[group.size()];
        sources = new MemorySegment[group.size()];
        ring = group.ring();
        ringed = descriptor.operation() == OperationKind.ALL_REDUCE
                && group.inRing(descriptor.bytes())
                && !group.members().isEachOnItsHost();
    }

    /** {@return who gets the result of a shard from its owner} */
    private int[] receivers(int owner) {
        int root = descriptor().root();
        return switch (descriptor().operation()) {
            case ALL_REDUCE -> ringed ? new int[0] : group().peers();
            case REDUCE -> owner == root ? new int[0] : new int[] {root};
            default -> new int[0];
        };
    }

    @Override
    protected void prepare() {
        int self = group().rank();
        receivers = receivers(self);
        boolean receives = descriptor().operation() == OperationKind.ALL_REDUCE
                || (descriptor().operation() == OperationKind.REDUCE
                        && self == descriptor().root());
        for (int peer : group().peers()) {
            outflow(FrameKind.DATA, peer, Parts.of(inputs[peer]), inputs[peer].byteSize());
            inboxes[peer] = new Inflow.Inbox(group().inbox(peer), output.byteSize());
            inflow(FrameKind.DATA, peer, inboxes[peer]);
            if (receives && !ringed) {
                inflow(FrameKind.RESULT, peer, new Inflow.Straight(Parts.of(inputs[peer])));
            }
        }
        for (int receiver : receivers) {
            outflow(FrameKind.RESULT, receiver, Parts.of(output), 0);
        }
        if (ringed) {
            outflow(FrameKind.RESULT, ring.next(), ring.passedOn(inputs), 0);
            inflow(FrameKind.RESULT, ring.previous(), new Inflow.Straight(ring.received(inputs)));
        }
    }

    @Override
    protected boolean meetsOthers(FrameKind kind) {
        return kind == FrameKind.DATA || !ringed;
    }

    @Override
    protected int credit() {
        return (int) (group().windowBytes() / Header.PIECE_BYTES);
    }

    @Override
    protected void arrived(FrameKind kind, int member) {
        if (kind == FrameKind.RESULT) {
            passOn();
            return;
        }
        if (firstNanos == 0) {
            firstNanos = System.nanoTime();
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
        group().combine(sources, target, descriptor());
        combined += bytes;
        for (int peer : group().peers()) {
            if (inboxes[peer].release(combined)) {
                group().credit(peer, this, inboxes[peer].granted());
            }
        }
        for (int receiver : receivers) {
            makeAvailable(FrameKind.RESULT, receiver, combined);
        }
        passOn();
        if (combined == output.byteSize()) {
            group().received(combined, System.nanoTime() - firstNanos);
        }
    }

    /** The ring carries the own shard first. */
    private void passOn() {
        if (ringed) {
            long others = inflow(FrameKind.RESULT, ring.previous()).received();
            long available = combined < output.byteSize() ? combined : combined + others;
            makeAvailable(FrameKind.RESULT, ring.next(), available);
        }
    }
}
