package ds.zero.gradient;

import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.GradientRows;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.zero.unit.ShardSums;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;

/**
 * Stage 1: optimizer states are sharded, gradients are kept in full, and summed once a step, each shard to its owner (the
 * paper's P_os, with a reduce-scatter in place of the all-reduce). It sends Ψ(N−1)/N elements, as does the gather of the
 * weights.
 */
final class ReduceScatteredGradients implements GradientStage {
    private final Units units;
    private final Kernels kernels;
    private final FullGradients gradients;
    private final ShardSums reduction;
    private boolean last;

    /** Owns gradients and reduction. */
    ReduceScatteredGradients(Units units, TensorBackend backend, FullGradients gradients, ShardSums reduction) {
        this.units = units;
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
            gradients.finish(unit, sum -> keep(sum, unit));
        } else if (last) {
            reduction.sumToOwner(unit, gradients.flat(unit), sum -> keep(sum, unit));
        }
    }

    /** The sum may be in place already, where no other type travels. */
    private void keep(Tensor sum, int unit) {
        if (reduction.converts(gradients.flat(unit).dtype())) {
            kernels.copy(sum, reduced(unit));
        }
    }

    @Override
    public void finish() {
        reduction.awaitAll();
    }

    @Override
    public Tensor reduced(int unit) {
        UnitLayout.Range shard = units.shard(unit);
        return gradients.flat(unit).slice(shard.first(), shard.elements());
    }

    @Override
    public void close() {
        gradients.close();
        reduction.close();
    }
}
