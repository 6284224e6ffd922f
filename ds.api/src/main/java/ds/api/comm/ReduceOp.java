package ds.api.comm;

/** How a collective combines the ranks' elements. BF16 and F16 are combined in F32 and rounded once, at the end. */
public enum ReduceOp {
    /** Sum, in the order of ranks. */
    SUM,
    /** Largest element; NaN if any is NaN. */
    MAX
}
