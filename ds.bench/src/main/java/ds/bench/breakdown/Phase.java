package ds.bench.breakdown;

/** The parts of a step, in their order. */
public enum Phase {
    /** Layers in order, to the loss. */
    FORWARD,
    /** Layers in reverse; collectives begin. */
    BACKWARD,
    /** Norm, clipping, optimizer, new weights everywhere. */
    UPDATE
}
