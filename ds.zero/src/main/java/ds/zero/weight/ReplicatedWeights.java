package ds.zero.weight;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.Work;
import ds.api.layer.GradientRows;
import ds.api.layer.Parameter;
import ds.zero.run.Stack;
import ds.zero.timing.StepTimer;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;
import ds.zero.unit.Visit;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Stages 0 to 2: every rank has all weights. Where each updates a shard only, the shards are put side by side after the update;
 * that sends Ψ(N−1)/N elements. Units travel in the order in which the forward pass needs them, while later ones are updated and
 * the next step computes with earlier ones: whoever reads a weight waits for its unit. A layer that reads some rows of a large
 * table waits for these alone ({@link EarlyRows}), and the table may come last.
 */
final class ReplicatedWeights implements WeightStage {
    private final Units units;
    private final Communicator communicator;
    private final Kernels kernels;
    private final Stream stream;
    private final StepTimer timer;
    private final boolean overlap;
    private final Work[] arriving;
    private final Optional<EarlyRows> earlyRows;
    private final boolean[] comesByRows;
    private final List<Tensor> flat = new ArrayList<>();
    private final Map<Parameter, Tensor> values = new HashMap<>();
    private int lookedUp = -1; // the unit of which rows are there for the layer that is called

    ReplicatedWeights(Units units, Stack stack, DType dtype, boolean overlap, StepTimer timer) {
        this.units = units;
        TensorBackend backend = stack.backend();
        this.communicator = stack.communicator();
        this.kernels = backend.kernels(backend.computeStream());
        this.stream = backend.computeStream();
        this.timer = timer;
        this.overlap = overlap;
        this.arriving = new Work[units.count()];
        this.comesByRows = new boolean[units.count()];
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout layout = units.layout(unit);
            Tensor all = backend.allocate(dtype, Shape.of(layout.paddedElements()), "weights");
            flat.add(all);
            values.putAll(Units.views(layout, all));
        }
        this.earlyRows = mayBeOnItsWay() ? Optional.of(new EarlyRows(units, stack, timer)) : Optional.empty();
    }

    /** Between devices links are fast, and another group of them takes their memory. */
    private boolean mayBeOnItsWay() {
        return overlap
                && home().equals(Device.HOST)
                && units.owned(0).elements() < flat.getFirst().elements();
    }

    @Override
    public Tensor value(Parameter parameter) {
        int unit = units.unitOf(parameter);
        if (unit != lookedUp) {
            awaitArrival(unit);
        }
        return values.get(parameter);
    }

    @Override
    public void announce(int unit, GradientRows rows) {
        comesByRows[unit] = earlyRows.isPresent() && earlyRows.get().prepare(unit, rows, dtype());
        if (comesByRows[unit] && arriving[unit] != null) {
            earlyRows.get().fetch(unit, rows, values);
            lookedUp = unit;
        }
    }

    @Override
    public boolean comesByRows(int unit) {
        return comesByRows[unit];
    }

    @Override
    public Tensor owned(int unit) {
        UnitLayout.Range owned = units.owned(unit);
        return flat.get(unit).slice(owned.first(), owned.elements());
    }

    @Override
    public Device home() {
        return flat.getFirst().buffer().device();
    }

    @Override
    public DType dtype() {
        return flat.getFirst().dtype();
    }

    @Override
    public void begin(List<Visit> visits) {}

    @Override
    public void enter(Visit visit) {}

    @Override
    public void leave() {
        lookedUp = -1;
    }

    @Override
    public void ownedChanged(int unit) {
        Tensor all = flat.get(unit);
        if (units.owned(unit).elements() < all.elements()) {
            Call call = new Call("weights of " + units.layout(unit).name(), stream.record());
            arriving[unit] = communicator.allGather(owned(unit), all, call);
            if (!overlap) {
                awaitArrival(unit);
            }
        }
    }

    @Override
    public void allChanged() {}

    @Override
    public void awaitChanges() {
        for (int unit = 0; unit < arriving.length; unit++) {
            awaitArrival(unit);
        }
    }

    private void awaitArrival(int unit) {
        Work work = arriving[unit];
        if (work != null) {
            arriving[unit] = null;
            timer.await(work, stream);
        }
    }

    @Override
    public void write(Parameter parameter, Tensor values, MemorySegment source) {
        kernels.copy(values, value(parameter));
    }

    @Override
    public void close() {
        try {
            awaitChanges();
        } finally {
            earlyRows.ifPresent(EarlyRows::close);
            flat.stream().map(Tensor::buffer).forEach(Buffer::close);
        }
    }
}
