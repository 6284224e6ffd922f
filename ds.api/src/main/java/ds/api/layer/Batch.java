package ds.api.layer;

import ds.api.Tensor;

/**
 * One micro-batch.
 *
 * @param inputs what the first layer gets; token ids I32 {@code [B, T]} for a language model
 * @param targets what the last layer compares with; token ids I32 {@code [B, T]} for a language model
 * @param firstSequence index of the first sequence in the global batch of this step, over all ranks and micro-batches: random
 *     numbers are keyed by it, so that they do not depend on how the batch is dealt
 */
public record Batch(Tensor inputs, Tensor targets, long firstSequence) {}
