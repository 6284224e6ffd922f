package ds.zero.gradient;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.GradientRows;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.zero.unit.InFlight;
import ds.zero.unit.ShardSums.ShardSink;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Gradients of all units in full, as stages 0 and 1 keep them over the micro-batches of a step. Where they are kept in F32
 * layers add to them at once, otherwise through a workspace; but what a layer makes whole in a step's first micro-batch is written
 * where it is kept.
 */
final class FullGradients implements AutoCloseable {
    private final Units units;
    private final Kernels kernels;
    private final List<Lease> kept = new ArrayList<>();
    private final List<UnitSums> sums = new ArrayList<>(); // without a workspace: over all micro-batches of a step
    private final Optional<GradientWorkspace> workspace;
    private final EarlySums early;
    private boolean first;
    private boolean last;

    /** Allocates them; owns the early sums. */
    FullGradients(Units units, TensorBackend backend, DType dtype, InFlight inFlight, EarlySums early) {
        this.units = units;
        this.kernels = backend.kernels(backend.computeStream());
        this.early = early;
        this.workspace =
                dtype == DType.F32 ? Optional.empty() : Optional.of(new GradientWorkspace(units, backend, inFlight));
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout layout = units.layout(unit);
            Tensor gradients = backend.allocate(dtype, Shape.of(layout.paddedElements()), "gradients");
            kept.add(new Lease(gradients, Units.views(layout, gradients)));
            sums.add(new UnitSums(backend.kernels(backend.computeStream()), layout));
        }
    }

    /** Begins a micro-batch; with the first one of a step sums start anew, after the last one they travel. */
    void begin(boolean first, boolean last) {
        this.first = first;
        this.last = last;
        if (first) {
            sums.forEach(UnitSums::clear);
        }
    }

    /** {@return where the backward pass adds: F32} */
    Tensor of(Parameter parameter) {
        return workspace.isPresent()
                ? workspace.get().gradient(parameter)
                : sumsOf(parameter).addToAll(parameter, whereKept(parameter));
    }

    /** {@return where the backward pass writes or adds: F32} */
    GradientSum sum(Parameter parameter) {
        return workspace.isPresent()
                ? workspace.get().sum(parameter)
                : sumsOf(parameter).add(parameter, whereKept(parameter));
    }

    /** {@return where the backward pass writes or adds all of a micro-batch's contribution} */
    GradientSum whole(Parameter parameter) {
        return workspace.isPresent() && first && mayBeWritten(parameter)
                ? workspace.get().whole(parameter, whereKept(parameter))
                : sum(parameter);
    }

    private boolean mayBeWritten(Parameter parameter) {
        return !units.isShared(parameter) && !early.isUnderWay(units.unitOf(parameter));
    }

    private Tensor whereKept(Parameter parameter) {
        int unit = units.unitOf(parameter);
        early.restore(unit, kept.get(unit));
        return kept.get(unit).views().get(parameter);
    }

    private UnitSums sumsOf(Parameter parameter) {
        return sums.get(units.unitOf(parameter));
    }

    /** Is told of the rows that will be late. */
    void announce(int unit, GradientRows rows) {
        if (last) {
            early.announce(unit, rows);
        }
    }

    /** Begins to sum a unit over the ranks of which but the late rows are missing, in the step's last micro-batch. */
    void sharersDone(int unit) {
        if (!early.mayBegin(unit)) {
            return;
        }
        Lease all = kept.get(unit);
        if (workspace.isPresent()) {
            if (!first) {
                early.lateRows(unit).take(all.views(), late(unit));
            }
            kernels.axpby(1, workspace.get().soFar(unit).flat(), first ? 0 : 1, all.flat());
        } else if (first) {
            sums.get(unit).complete(all.flat());
        }
        early.begin(unit, all);
    }

    /** What was kept of the late rows before this micro-batch, and then with it. */
    private Tensor late(int unit) {
        return early.memory(unit, "kept", flat(unit).dtype());
    }

    /**
     * Has what is kept of a unit contain all of a micro-batch.
     *
     * @return whether it is under way already, but for the late rows: {@link #finish}
     */
    boolean collect(int unit) {
        boolean underWay = early.isUnderWay(unit);
        if (underWay && workspace.isPresent()) {
            collectLate(unit);
        } else if (workspace.isPresent()) {
            workspace.get().collect(unit, flat(unit), first ? 0 : 1);
        } else if (first) {
            early.restore(unit, kept.get(unit));
            sums.get(unit).complete(flat(unit));
        }
        return underWay;
    }

    private void collectLate(int unit) {
        Lease all = kept.get(unit);
        early.restore(unit, all); // has arrived, where it is these that travel
        Lease added = workspace.get().take(unit);
        if (first) {
            early.lateRows(unit).take(added.views(), late(unit));
        } else {
            Tensor inF32 = early.memory(unit, "added", DType.F32);
            early.lateRows(unit).take(added.views(), inF32);
            kernels.axpby(1, inF32, 1, late(unit));
        }
        workspace.get().giveBack(added);
        early.lateRows(unit).put(late(unit), all.views());
    }

    /** Sums the late rows of a unit that is under way. */
    void finish(int unit, ShardSink done) {
        early.finish(unit, kept.get(unit), done);
    }

    /** {@return what is kept of a unit: {@code [paddedElements]}} */
    Tensor flat(int unit) {
        return kept.get(unit).flat();
    }

    @Override
    public void close() {
        workspace.ifPresent(GradientWorkspace::close);
        early.close();
        kept.stream().map(all -> all.flat().buffer()).forEach(Buffer::close);
    }
}
