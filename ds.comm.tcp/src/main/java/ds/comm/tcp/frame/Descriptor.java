package ds.comm.tcp.frame;

import ds.api.DType;
import ds.api.comm.ReduceOp;

/**
 * What the ranks of an operation have to agree on.
 *
 * @param reduce how elements are combined; SUM where they are not
 * @param root of an operation that has one; 0 elsewhere
 * @param count elements of the whole buffer
 * @param label as the caller gave it; in a frame, as much of it as fits
 * @param labelHash of the whole label
 */
public record Descriptor(
        OperationKind operation, ReduceOp reduce, DType dtype, int root, long count, String label, int labelHash) {
    public Descriptor(OperationKind operation, ReduceOp reduce, DType dtype, int root, long count, String label) {
        this(operation, reduce, dtype, root, count, label, label.hashCode());
    }

    public Descriptor(OperationKind operation, DType dtype, long count, String label) {
        this(operation, ReduceOp.SUM, dtype, 0, count, label);
    }

    public long bytes() {
        return count * dtype.byteSize();
    }

    /** {@return whether a peer that does {@code other} does its part of the same operation} */
    public boolean matches(Descriptor other) {
        return operation == other.operation.counterpart()
                && reduce == other.reduce
                && dtype == other.dtype
                && root == other.root
                && count == other.count
                && labelHash == other.labelHash;
    }

    @Override
    public String toString() {
        String how = switch (operation) {
            case ALL_REDUCE, REDUCE_SCATTER -> " " + reduce;
            case BROADCAST -> " from " + root;
            case REDUCE -> " " + reduce + " to " + root;
            case GATHER -> " to " + root;
            case ALL_GATHER, ALL_TO_ALL, BARRIER, SEND, RECEIVE -> "";
        };
        return operation + how + " '" + label + "'"
                + (operation == OperationKind.BARRIER ? "" : " " + dtype + "[" + count + "]");
    }
}
