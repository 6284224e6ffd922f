package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import ds.zero.optimizer.OwnedUnit;
import ds.zero.optimizer.UnitUpdate;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * What this rank updates: F32 master weights and optimizer states of the elements that it owns, all of them at stage 0 and its
 * shards from stage 1 on. Where the model computes in F32 its weights are their own master.
 */
final class OwnedStates implements UpdatedStates {
    private final TensorBackend backend;
    private final Units units;
    private final Kernels kernels;
    private final Optimizer optimizer;
    private final UnitUpdate update;
    private final List<Tensor> masters = new ArrayList<>();
    private final List<List<Tensor>> states = new ArrayList<>();
    private final List<Tensor> targets = new ArrayList<>();
    private final List<Buffer> buffers = new ArrayList<>();

    OwnedStates(Units units, WeightStage weights, GradientStage gradients, Stack stack, Optimizer optimizer) {
        TensorBackend backend = stack.backend();
        this.units = units;
        this.backend = backend;
        this.kernels = backend.kernels(backend.computeStream());
        this.optimizer = optimizer;
        List<OwnedUnit> owned = new ArrayList<>();
        for (int unit = 0; unit < units.count(); unit++) {
            long elements = units.owned(unit).elements();
            Tensor target = weights.owned(unit);
            Tensor master = target.dtype() == DType.F32 ? target : allocate(backend, elements, "masterWeights");
            List<Tensor> ofUnit = new ArrayList<>();
            for (int i = 0; i < optimizer.states().size(); i++) {
                ofUnit.add(allocate(backend, elements, "optimizerStates"));
            }
            targets.add(target);
            masters.add(master);
            states.add(ofUnit);
            owned.add(ownedUnit(unit, new Optimizer.Shard(master, gradients.reduced(unit), ofUnit)));
        }
        this.update = UnitUpdate.of(optimizer, backend, stack.communicator(), owned);
    }

    private Tensor allocate(TensorBackend backend, long elements, String label) {
        Tensor tensor = backend.allocate(DType.F32, Shape.of(elements), label);
        buffers.add(tensor.buffer());
        return tensor;
    }

    private OwnedUnit ownedUnit(int unit, Optimizer.Shard tensors) {
        UnitLayout layout = units.layout(unit);
        List<OwnedUnit.Placed> parameters = layout.parameters().stream()
                .map(parameter -> new OwnedUnit.Placed(parameter, layout.offset(parameter), units.isHidden(unit)))
                .toList();
        return new OwnedUnit(
                layout.name(),
                layout.paddedElements(),
                units.owned(unit).first(),
                units.shard(unit).first(),
                tensors,
                parameters);
    }

    @Override
    public List<String> stateNames() {
        return optimizer.states();
    }

    @Override
    public Tensor master(int unit) {
        return masters.get(unit);
    }

    @Override
    public void forget() {}

    @Override
    public void read(int state, int unit, long first, MemorySegment target) {
        backend.download(part(state, unit, first, target), target, backend.computeStream());
        backend.computeStream().synchronize();
    }

    @Override
    public void write(int state, int unit, long first, MemorySegment source) {
        backend.upload(source, part(state, unit, first, source), backend.computeStream());
        backend.computeStream().synchronize();
    }

    private Tensor part(int state, int unit, long first, MemorySegment host) {
        Tensor all = state == MASTER ? masters.get(unit) : states.get(unit).get(state);
        return all.slice(first, host.byteSize() / Float.BYTES);
    }

    @Override
    public void publish(int unit) {
        if (masters.get(unit) != targets.get(unit)) {
            kernels.copy(masters.get(unit), targets.get(unit));
        }
    }

    @Override
    public void prepare(Optimizer.Step step) {
        update.prepare(step);
    }

    @Override
    public void update(int unit, Optimizer.Step step) {
        update.update(unit, step);
        publish(unit);
    }

    @Override
    public void awaitUpdates() {}

    @Override
    public void close() {
        update.close();
        buffers.forEach(Buffer::close);
    }
}
