package ds.zero;

import ds.api.Tensor;
import ds.api.layer.Parameter;

/**
 * Where gradients live and when they travel: what sets the ZeRO stages apart until the update. Sums over micro-batches and
 * ranks are not averaged; that factor comes with the update.
 */
sealed interface GradientStage extends AutoCloseable
        permits AllReducedGradients, ReduceScatteredGradients, ShardedGradients {
    /**
     * Begins a micro-batch.
     *
     * @param first whether sums start anew
     * @param last whether the step's sums are complete after it
     */
    void begin(boolean first, boolean last);

    /** {@return where the backward pass adds a parameter's gradient: F32, with its dims} */
    Tensor gradient(Parameter parameter);

    /** Is told that all gradients of a unit have been added for this micro-batch. */
    void unitDone(int unit);

    /** Waits until the sums over all ranks are there. */
    void finish();

    /** {@return the sums over all ranks of the elements that this rank updates: {@code [owned elements]}, in the type kept} */
    Tensor reduced(int unit);

    @Override
    void close();
}
