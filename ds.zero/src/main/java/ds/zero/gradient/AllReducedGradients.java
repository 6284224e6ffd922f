package ds.zero.gradient;

import ds.api.Tensor;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;

/** Stage 0, plain data parallelism: every rank has all gradients, summed once a step. It sends 2Ψ(N−1)/N elements. */
final class AllReducedGradients implements GradientStage {
    private final FullGradients gradients;
    private final GradientReduction reduction;
    private boolean last;

    /** Owns both. */
    AllReducedGradients(FullGradients gradients, GradientReduction reduction) {
        this.gradients = gradients;
        this.reduction = reduction;
    }

    @Override
    public void begin(boolean first, boolean last) {
        this.last = last;
        gradients.begin(first);
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
    public void unitDone(int unit) {
        gradients.collect(unit);
        if (last) {
            reduction.sumEverywhere(unit, gradients.flat(unit));
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
