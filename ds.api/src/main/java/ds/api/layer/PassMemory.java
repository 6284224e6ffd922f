package ds.api.layer;

/**
 * How much memory the micro-batches of a {@link Pass} take, but for what segments that are recomputed keep inside.
 *
 * @param activationBytes from a micro-batch's begin to its end
 * @param scratchBytes inside a call of a layer
 */
public record PassMemory(long activationBytes, long scratchBytes) {}
