package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
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
    private final List<Tensor> masters = new ArrayList<>();
    private final List<List<Tensor>> states = new ArrayList<>();
    private final List<Tensor> targets = new ArrayList<>();
    private final List<List<GroupShard>> shards = new ArrayList<>();
    private final List<Buffer> buffers = new ArrayList<>();

    private record GroupShard(Optimizer.Shard shard, boolean decays) {}

    OwnedStates(Units units, WeightStage weights, GradientStage gradients, TensorBackend backend, Optimizer optimizer) {
        this.units = units;
        this.backend = backend;
        this.kernels = backend.kernels(backend.computeStream());
        this.optimizer = optimizer;
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout.Range owned = units.owned(unit);
            Tensor target = weights.owned(unit);
            Tensor master = target.dtype() == DType.F32 ? target : allocate(backend, owned.elements(), "masterWeights");
            List<Tensor> ofUnit = new ArrayList<>();
            for (int i = 0; i < optimizer.states().size(); i++) {
                ofUnit.add(allocate(backend, owned.elements(), "optimizerStates"));
            }
            targets.add(target);
            masters.add(master);
            states.add(ofUnit);
            shards.add(split(unit, owned, new Optimizer.Shard(master, gradients.reduced(unit), ofUnit)));
        }
    }

    private Tensor allocate(TensorBackend backend, long elements, String label) {
        Tensor tensor = backend.allocate(DType.F32, Shape.of(elements), label);
        buffers.add(tensor.buffer());
        return tensor;
    }

    private List<GroupShard> split(int unit, UnitLayout.Range owned, Optimizer.Shard whole) {
        List<GroupShard> parts = new ArrayList<>();
        for (UnitLayout.Group group : units.layout(unit).groups(owned)) {
            long first = group.range().first() - owned.first();
            long count = group.range().elements();
            List<Tensor> states = whole.states().stream()
                    .map(state -> state.slice(first, count))
                    .toList();
            parts.add(new GroupShard(
                    new Optimizer.Shard(
                            whole.weights().slice(first, count),
                            whole.gradient().slice(first, count),
                            states),
                    group.decays()));
        }
        return parts;
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
    public void update(int unit, Optimizer.Step step) {
        Optimizer.Step plain = new Optimizer.Step(step.number(), step.learningRate(), 0, step.gradientScale());
        for (GroupShard part : shards.get(unit)) {
            optimizer.update(kernels, part.shard(), part.decays() ? step : plain);
        }
        publish(unit);
    }

    @Override
    public void awaitUpdates() {}

    @Override
    public void close() {
        buffers.forEach(Buffer::close);
    }
}
