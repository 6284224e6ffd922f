package ds.zero;

import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.layer.Parameter;

/** Stage 0, plain data parallelism: every rank has all gradients, summed once a step. It sends 2Ψ(N−1)/N elements. */
final class AllReducedGradients implements GradientStage {
    private final Units units;
    private final Communicator communicator;
    private final FullGradients gradients;
    private final InFlight inFlight;
    private boolean last;

    AllReducedGradients(Units units, TensorBackend backend, Communicator communicator, InFlight inFlight) {
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
            inFlight.add(communicator.allReduce(flat, ReduceOp.SUM, inFlight.call("gradients", unit)), flat.elements());
        }
    }

    @Override
    public void finish() {
        inFlight.awaitAll();
    }

    @Override
    public Tensor reduced(int unit) {
        return gradients.flat(unit);
    }

    @Override
    public UnitLayout.Range owned(int unit) {
        return units.layout(unit).whole();
    }

    @Override
    public void close() {
        gradients.close();
    }
}
