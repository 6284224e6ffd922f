package ds.zero.gradient;

import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.zero.unit.ShardSums.ShardSink;

/** Stage 0, plain data parallelism: every rank has all gradients, summed once a step. It sends 2Ψ(N−1)/N elements. */
final class AllReducedGradients extends SummedOnceGradients {
    private final GradientReduction reduction;

    /** Owns both. */
    AllReducedGradients(TensorBackend backend, FullGradients gradients, GradientReduction reduction) {
        super(backend, gradients, reduction);
        this.reduction = reduction;
    }

    @Override
    void sum(int unit, Tensor all, ShardSink done) {
        reduction.sumEverywhere(unit, all);
    }

    @Override
    public Tensor reduced(int unit) {
        return flat(unit);
    }
}
