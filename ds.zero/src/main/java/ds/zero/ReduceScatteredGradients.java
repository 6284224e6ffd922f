package ds.zero;

import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.layer.Parameter;

/**
 * Stage 1: optimizer states are sharded, gradients are kept in full, and summed once a step, each shard to its owner (the
 * paper's P_os, with a reduce-scatter in place of the all-reduce). It sends Ψ(N−1)/N elements, as does the gather of the
 * weights.
 */
final class ReduceScatteredGradients implements GradientStage {
    private final Units units;
    private final Communicator communicator;
    private final FullGradients gradients;
    private final InFlight inFlight;
    private boolean last;

    ReduceScatteredGradients(Units units, TensorBackend backend, Communicator communicator, InFlight inFlight) {
        this.units = units;
        this.communicator = communicator;
        this.gradients = new FullGradients(units, backend);
        this.inFlight = inFlight;
    }

    @Override
    public void begin(boolean first, boolean last) {
        this.last = last;
        if (first) {
            gradients.clear();
        }
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        return gradients.of(parameter);
    }

    @Override
    public void unitDone(int unit) {
        if (last) {
            Tensor flat = gradients.flat(unit);
            inFlight.add(
                    communicator.reduceScatter(flat, reduced(unit), ReduceOp.SUM, inFlight.call("gradients", unit)),
                    flat.elements());
        }
    }

    @Override
    public void finish() {
        inFlight.awaitAll();
    }

    @Override
    public Tensor reduced(int unit) {
        UnitLayout.Range owned = owned(unit);
        return gradients.flat(unit).slice(owned.first(), owned.elements());
    }

    @Override
    public UnitLayout.Range owned(int unit) {
        return units.layout(unit).shard(communicator.rank());
    }

    @Override
    public void close() {
        gradients.close();
    }
}
