package ds.zero.gradient;

import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.GradientRows;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;

/** Stage 0, plain data parallelism: every rank has all gradients, summed once a step. It sends 2Ψ(N−1)/N elements. */
final class AllReducedGradients implements GradientStage {
    private final Kernels kernels;
    private final FullGradients gradients;
    private final GradientReduction reduction;
    private boolean last;

    /** Owns both. */
    AllReducedGradients(TensorBackend backend, FullGradients gradients, GradientReduction reduction) {
        this.kernels = backend.kernels(backend.computeStream());
        this.gradients = gradients;
        this.reduction = reduction;
    }

    @Override
    public void begin(boolean first, boolean last) {
        this.last = last;
        gradients.begin(first, last);
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        return gradients.of(parameter);
    }

    @Override
    public GradientSum gradientSum(Parameter parameter) {
        return gradients.sum(parameter);
    }

    @Override
    public GradientSum wholeGradient(Parameter parameter) {
        return gradients.whole(parameter);
    }

    @Override
    public void announce(int unit, GradientRows rows) {
        gradients.announce(unit, rows);
    }

    @Override
    public void sharersDone(int unit) {
        gradients.sharersDone(unit);
    }

    @Override
    public void unitDone(int unit) {
        if (gradients.collect(unit)) {
            gradients.finish(unit, sum -> keep(sum, gradients.flat(unit)));
        } else if (last) {
            reduction.sumEverywhere(unit, gradients.flat(unit));
        }
    }

    /** The sum may be in place already, where no other type travels. */
    private void keep(Tensor sum, Tensor all) {
        if (reduction.converts(all.dtype())) {
            kernels.copy(sum, all);
        }
    }

    @Override
    public void finish() {
        reduction.awaitAll();
    }

    @Override
    public Tensor reduced(int unit) {
        return gradients.flat(unit);
    }

    @Override
    public void close() {
        gradients.close();
        reduction.close();
    }
}
