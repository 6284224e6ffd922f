package ds.tck.comm;

import ds.api.DType;
import ds.api.comm.ReduceOp;
import java.util.Optional;

/**
 * What all ranks of a group have to agree on.
 *
 * @param name such as {@code "allReduce"}
 * @param reduce how elements are combined, where they are
 * @param root of an operation that has one; 0 for others
 * @param elements of the whole buffer
 */
record Operation(String name, Optional<ReduceOp> reduce, int root, DType dtype, long elements, String label) {
    static Operation of(String name, DType dtype, long elements, String label) {
        return new Operation(name, Optional.empty(), 0, dtype, elements, label);
    }

    @Override
    public String toString() {
        String how = reduce.map(op -> " " + op).orElse("")
                + (switch (name) {
                    case "broadcast" -> " from " + root;
                    case "reduce", "gather" -> " to " + root;
                    default -> "";
                });
        return name + how + " '" + label + "' " + dtype + "[" + elements + "]";
    }
}
