package ds.comm.tcp.collective;

import ds.api.comm.Call;
import ds.api.comm.ReduceOp;
import ds.comm.tcp.frame.Descriptor;
import ds.comm.tcp.frame.OperationKind;
import ds.comm.tcp.group.Group;
import ds.comm.tcp.group.Operation;
import java.lang.foreign.MemorySegment;

/**
 * A large operation where several ranks share a host, composed of operations in the host and between hosts, chunk by chunk: so that
 * only the network is waited for.
 */
abstract class Hierarchical extends Operation {
    private final Hierarchy hierarchy;
    private final int elementBytes;
    private int left;

    Hierarchical(Group group, Hierarchy hierarchy, Descriptor descriptor, Call call) {
        super(group, descriptor, call);
        this.hierarchy = hierarchy;
        elementBytes = descriptor.dtype().byteSize();
    }

    @Override
    protected void prepare() {
        hold();
    }

    final Hierarchy hierarchy() {
        return hierarchy;
    }

    /** {@return these bytes in chunks, of at most so many bytes each} */
    final MemorySegment[] chunks(MemorySegment whole, long most) {
        return parts(whole, (int) Math.ceilDiv(whole.byteSize(), most));
    }

    /** {@return these bytes in so many parts of whole elements} */
    final MemorySegment[] parts(MemorySegment whole, int count) {
        return Shards.of(whole, whole.byteSize() / elementBytes, elementBytes, count);
    }

    /** {@return what a part of it does, of so many bytes} */
    final Descriptor part(OperationKind kind, long bytes) {
        return new Descriptor(
                kind,
                kind == OperationKind.ALL_GATHER ? ReduceOp.SUM : descriptor().reduce(),
                descriptor().dtype(),
                0,
                bytes / elementBytes,
                descriptor().label());
    }

    /** It is done when so many of its parts are. */
    final void consistsOf(int parts) {
        left = parts;
    }

    /**
     * Hands a part to its group: it may begin and be done at once, so what follows it has to be known before.
     *
     * @param others that have to be done before
     */
    final void queue(Operation operation, int others) {
        operation.isPartOf(this, others);
        operation.group().lane(operation.descriptor().operation(), 0).enqueue(operation);
    }

    final void partIsDone() {
        if (--left == 0) {
            finished();
        }
    }
}
