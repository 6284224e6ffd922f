package ds.zero.gradient;

import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.GradientRows;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.zero.unit.ShardSums;
import ds.zero.unit.ShardSums.ShardSink;

/** Gradients that are kept in full over the micro-batches of a step, and summed over the ranks once, after the last. */
abstract sealed class SummedOnceGradients implements GradientStage
        permits AllReducedGradients, ReduceScatteredGradients {
    private final Kernels kernels;
    private final FullGradients gradients;
    private final ShardSums reduction;
    private boolean last;

    /** Owns gradients and reduction. */
    SummedOnceGradients(TensorBackend backend, FullGradients gradients, ShardSums reduction) {
        this.kernels = backend.kernels(backend.computeStream());
        this.gradients = gradients;
        this.reduction = reduction;
    }

    /**
     * Begins to sum a unit.
     *
     * @param all its gradients in full
     * @param done gets what this rank is to have of the sum, unless it is there already
     */
    abstract void sum(int unit, Tensor all, ShardSink done);

    /** {@return all that this rank has of a unit} */
    final Tensor flat(int unit) {
        return gradients.flat(unit);
    }

    @Override
    public final void begin(boolean first, boolean last) {
        this.last = last;
        gradients.begin(first, last);
    }

    @Override
    public final Tensor gradient(Parameter parameter) {
        return gradients.of(parameter);
    }

    @Override
    public final GradientSum gradientSum(Parameter parameter) {
        return gradients.sum(parameter);
    }

    @Override
    public final GradientSum wholeGradient(Parameter parameter) {
        return gradients.whole(parameter);
    }

    @Override
    public final void announce(int unit, GradientRows rows) {
        gradients.announce(unit, rows);
    }

    @Override
    public final void sharersDone(int unit) {
        gradients.sharersDone(unit);
    }

    @Override
    public final void unitDone(int unit) {
        if (gradients.collect(unit)) {
            gradients.finish(unit, sum -> keep(sum, unit));
        } else if (last) {
            sum(unit, flat(unit), sum -> keep(sum, unit));
        }
    }

    /** The sum may be in place already, where no other type travels. */
    private void keep(Tensor sum, int unit) {
        if (reduction.converts(flat(unit).dtype())) {
            kernels.copy(sum, reduced(unit));
        }
    }

    @Override
    public final void finish() {
        reduction.awaitAll();
    }

    @Override
    public final void close() {
        gradients.close();
        reduction.close();
    }
}
