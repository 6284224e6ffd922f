package ds.zero.gradient;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.GradientRows;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroStage;
import ds.zero.gradient.EarlySums.Reach;
import ds.zero.quantized.QuantizedSums;
import ds.zero.run.Stack;
import ds.zero.unit.InFlight;
import ds.zero.unit.ShardSums;
import ds.zero.unit.Units;

/**
 * Where gradients live and when they travel: what sets the ZeRO stages apart until the update. Sums over micro-batches and
 * ranks are not averaged; that factor comes with the update.
 */
public sealed interface GradientStage extends AutoCloseable
        permits QuantizedGradients, ShardedGradients, SummedOnceGradients {
    /**
     * {@return the way of a stage; allocates what it keeps}
     *
     * @param stack borrowed
     * @param reductions the sums under way; borrowed
     */
    static GradientStage of(ZeroConfig config, Units units, Stack stack, InFlight reductions) {
        TensorBackend backend = stack.backend();
        DType kept = config.gradients().accumulation();
        DType sent = config.gradients().communication();
        boolean quantized = config.zero().plusPlus().quantizedGradients()
                && stack.communicator().worldSize() > 1;
        Reach reach = config.zero().stage() == ZeroStage.DISABLED ? Reach.EVERYWHERE : Reach.OWNERS;
        EarlySums early = new EarlySums(units, stack, sent, reductions, quantized ? Reach.NOWHERE : reach);
        return switch (config.zero().stage()) {
            case DISABLED ->
                new AllReducedGradients(
                        backend,
                        new FullGradients(units, backend, kept, reductions, early),
                        new GradientReduction(units, stack, sent, reductions));
            case OPTIMIZER_STATES ->
                new ReduceScatteredGradients(
                        units,
                        backend,
                        new FullGradients(units, backend, kept, reductions, early),
                        quantized
                                ? quantizedSums(config, units, stack, reductions)
                                : new GradientReduction(units, stack, sent, reductions));
            case GRADIENTS, PARAMETERS -> {
                GradientWorkspace workspace = new GradientWorkspace(units, backend, reductions);
                yield quantized
                        ? new QuantizedGradients(
                                units, backend, kept, workspace, quantizedSums(config, units, stack, reductions))
                        : new ShardedGradients(
                                units,
                                backend,
                                kept,
                                workspace,
                                new GradientReduction(units, stack, sent, reductions),
                                early);
            }
        };
    }

    private static ShardSums quantizedSums(ZeroConfig config, Units units, Stack stack, InFlight reductions) {
        return new QuantizedSums(units, stack, config.zero().plusPlus().ranksPerHost(), reductions);
    }

    /**
     * Begins a micro-batch.
     *
     * @param first whether sums start anew
     * @param last whether the step's sums are complete after it, and travel; without it gradients stay those of this rank
     */
    void begin(boolean first, boolean last);

    /** {@return where the backward pass adds to a parameter's gradient: F32, with its dims} */
    Tensor gradient(Parameter parameter);

    /** As {@link ds.api.layer.Weights#gradientSum}. */
    GradientSum gradientSum(Parameter parameter);

    /** As {@link ds.api.layer.Weights#wholeGradient}. */
    GradientSum wholeGradient(Parameter parameter);

    /** Is told to which rows of a table the unit's own layer will add in this micro-batch, after all layers that share it. */
    default void announce(int unit, GradientRows rows) {}

    /** Is told that all layers but its own have added to a unit's gradients. */
    default void sharersDone(int unit) {}

    /** Is told that all gradients of a unit have been added for this micro-batch. */
    void unitDone(int unit);

    /** Waits until the sums over all ranks are there. */
    void finish();

    /** {@return the sums over all ranks of the elements that this rank updates: {@code [owned elements]}, in the type kept} */
    Tensor reduced(int unit);

    @Override
    void close();
}
