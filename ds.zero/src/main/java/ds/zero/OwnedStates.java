package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import java.util.ArrayList;
import java.util.List;

/**
 * What this rank updates: F32 master weights and optimizer states of the elements that it owns, all of them at stage 0 and its
 * shards from stage 1 on. Where the model computes in F32 its weights are their own master.
 */
final class OwnedStates implements AutoCloseable {
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

    /** {@return F32 weights of the elements that this rank owns in a unit} */
    Tensor master(int unit) {
        return masters.get(unit);
    }

    /** {@return the names of the optimizer's states} */
    List<String> stateNames() {
        return optimizer.states();
    }

    /** {@return one optimizer state, by its place among the names, of the elements that this rank owns in a unit} */
    Tensor state(int unit, int number) {
        return states.get(unit).get(number);
    }

    /** Makes the weights of a unit what its master says, where this rank owns them. */
    void publish(int unit) {
        if (masters.get(unit) != targets.get(unit)) {
            kernels.copy(masters.get(unit), targets.get(unit));
        }
    }

    /**
     * Updates what this rank owns of a unit.
     *
     * @param step with the weight decay of the parameters that decay
     */
    void update(int unit, Optimizer.Step step) {
        Optimizer.Step plain = new Optimizer.Step(step.number(), step.learningRate(), 0, step.gradientScale());
        for (GroupShard part : shards.get(unit)) {
            optimizer.update(kernels, part.shard(), part.decays() ? step : plain);
        }
        publish(unit);
    }

    @Override
    public void close() {
        buffers.forEach(Buffer::close);
    }
}
