package ds.api.layer;

import ds.api.Tensor;
import java.util.Optional;

/**
 * One micro-batch.
 *
 * @param inputs what the first layer gets; token ids I32 {@code [B, T]} for a language model
 * @param targets what the last layer compares with, of the same dims for a language model; without them the last layer returns
 *     what it predicts instead of a loss
 * @param firstSequence index of the first sequence in the global batch of this step, over all ranks and micro-batches: random
 *     numbers are keyed by it, so that they do not depend on how the batch is dealt
 */
public record Batch(Tensor inputs, Optional<Tensor> targets, long firstSequence) {
    /** {@return a micro-batch whose loss is wanted} */
    public static Batch of(Tensor inputs, Tensor targets, long firstSequence) {
        return new Batch(inputs, Optional.of(targets), firstSequence);
    }

    /** {@return a micro-batch whose predictions are wanted} */
    public static Batch of(Tensor inputs) {
        return new Batch(inputs, Optional.empty(), 0);
    }
}
