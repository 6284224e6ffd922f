package ds.zero.gradient;

import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.zero.unit.ShardSums;
import ds.zero.unit.ShardSums.ShardSink;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;

/**
 * Stage 1: optimizer states are sharded, gradients are kept in full, and summed once a step, each shard to its owner (the
 * paper's P_os, with a reduce-scatter in place of the all-reduce). It sends Ψ(N−1)/N elements, as does the gather of the
 * weights.
 */
final class ReduceScatteredGradients extends SummedOnceGradients {
    private final Units units;
    private final ShardSums reduction;

    /** Owns gradients and reduction. */
    ReduceScatteredGradients(Units units, TensorBackend backend, FullGradients gradients, ShardSums reduction) {
        super(backend, gradients, reduction);
        this.units = units;
        this.reduction = reduction;
    }

    @Override
    void sum(int unit, Tensor all, ShardSink done) {
        reduction.sumToOwner(unit, all, done);
    }

    @Override
    public Tensor reduced(int unit) {
        UnitLayout.Range shard = units.shard(unit);
        return flat(unit).slice(shard.first(), shard.elements());
    }
}
