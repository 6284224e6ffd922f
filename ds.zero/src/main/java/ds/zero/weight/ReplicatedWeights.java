package ds.zero.weight;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.layer.Parameter;
import ds.zero.run.Stack;
import ds.zero.unit.InFlight;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;
import ds.zero.unit.Visit;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Stages 0 to 2: every rank has all weights. Where each updates a shard only, the shards are put side by side after the update;
 * that sends Ψ(N−1)/N elements.
 */
final class ReplicatedWeights implements WeightStage {
    private final Units units;
    private final Communicator communicator;
    private final Kernels kernels;
    private final InFlight gathers;
    private final List<Tensor> flat = new ArrayList<>();
    private final Map<Parameter, Tensor> values = new HashMap<>();

    ReplicatedWeights(Units units, Stack stack, DType dtype, InFlight gathers) {
        this.units = units;
        TensorBackend backend = stack.backend();
        this.communicator = stack.communicator();
        this.kernels = backend.kernels(backend.computeStream());
        this.gathers = gathers;
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout layout = units.layout(unit);
            Tensor all = backend.allocate(dtype, Shape.of(layout.paddedElements()), "weights");
            flat.add(all);
            values.putAll(Units.views(layout, all));
        }
    }

    @Override
    public Tensor value(Parameter parameter) {
        return values.get(parameter);
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
    public void leave() {}

    @Override
    public void ownedChanged(int unit) {
        Tensor all = flat.get(unit);
        if (units.owned(unit).elements() < all.elements()) {
            gathers.add(communicator.allGather(owned(unit), all, gathers.call("weights", unit)), all.elements());
        }
    }

    @Override
    public void awaitChanges() {
        gathers.awaitAll();
    }

    @Override
    public void write(Parameter parameter, Tensor values, MemorySegment source) {
        kernels.copy(values, value(parameter));
    }

    @Override
    public long takeWaitNanos() {
        return gathers.takeWaitNanos();
    }

    @Override
    public void close() {
        flat.stream().map(Tensor::buffer).forEach(Buffer::close);
    }
}
