package ds.zero.gradient;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.GradientRows;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.zero.unit.ShardSums.ShardSink;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.Units;

/**
 * Stages 2 and 3: a rank keeps the gradients of its own shard only (the paper's P_os+g). A unit's gradients in full live in a
 * borrowed buffer from the first addition until they are summed to their owners, in every micro-batch. It sends kΨ(N−1)/N
 * elements for k micro-batches.
 */
final class ShardedGradients implements GradientStage {
    private final GradientWorkspace workspace;
    private final GradientReduction reduction;
    private final EarlySums early;
    private final KeptShards shards;
    private final Units units;
    private final Lease[] travelling; // where whole gradients are written

    /**
     * Allocates the shards; owns all others.
     *
     * @param dtype in which gradients are kept
     */
    ShardedGradients(
            Units units,
            TensorBackend backend,
            DType dtype,
            GradientWorkspace workspace,
            GradientReduction reduction,
            EarlySums early) {
        this.units = units;
        this.travelling = new Lease[units.count()];
        this.workspace = workspace;
        this.reduction = reduction;
        this.early = early;
        this.shards = new KeptShards(units, backend, dtype);
    }

    @Override
    public void begin(boolean first, boolean last) {
        shards.begin(first);
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        restore(parameter);
        return workspace.gradient(parameter);
    }

    @Override
    public GradientSum gradientSum(Parameter parameter) {
        restore(parameter);
        return workspace.sum(parameter);
    }

    private void restore(Parameter parameter) {
        int unit = units.unitOf(parameter);
        if (early.isUnderWay(unit)) {
            early.restore(unit, workspace.lease(unit));
        }
    }

    /** Where gradients travel in another type than F32 they are written into what will travel. */
    @Override
    public GradientSum wholeGradient(Parameter parameter) {
        int unit = units.unitOf(parameter);
        if (!reduction.converts(DType.F32) || units.isShared(parameter) || early.isUnderWay(unit)) {
            return gradientSum(parameter);
        }
        if (travelling[unit] == null) {
            workspace.awaitRoom();
        }
        return workspace.whole(parameter, travelling(unit).views().get(parameter));
    }

    private Lease travelling(int unit) {
        if (travelling[unit] == null) {
            travelling[unit] = reduction.lease(unit);
        }
        return travelling[unit];
    }

    @Override
    public void announce(int unit, GradientRows rows) {
        early.announce(unit, rows);
    }

    @Override
    public void sharersDone(int unit) {
        if (early.mayBegin(unit)) {
            early.begin(unit, workspace.soFar(unit));
        }
    }

    @Override
    public void unitDone(int unit) {
        if (early.isUnderWay(unit)) {
            finishEarly(unit);
            return;
        }
        if (reduction.converts(DType.F32)) {
            Lease lease = travelling(unit);
            travelling[unit] = null;
            workspace.collect(unit, lease.flat(), 0);
            reduction.sumToOwner(unit, lease, shards.sink(unit));
            return;
        }
        Lease sums = workspace.take(unit);
        ShardSink keep = shards.sink(unit);
        reduction.sumToOwner(unit, sums.flat(), sum -> {
            keep.accept(sum);
            workspace.giveBack(sums);
        });
    }

    private void finishEarly(int unit) {
        early.restore(unit, workspace.lease(unit));
        Lease sums = workspace.take(unit);
        boolean freeAtOnce = reduction.converts(DType.F32);
        ShardSink keep = shards.sink(unit);
        early.finish(unit, sums, sum -> {
            keep.accept(sum);
            if (!freeAtOnce) {
                workspace.giveBack(sums);
            }
        });
        if (freeAtOnce) {
            workspace.giveBack(sums);
        }
    }

    @Override
    public void finish() {
        reduction.awaitAll();
    }

    @Override
    public Tensor reduced(int unit) {
        return shards.of(unit);
    }

    @Override
    public void close() {
        workspace.close();
        reduction.close();
        early.close();
        shards.close();
    }
}
