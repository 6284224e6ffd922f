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
    private final UnitUpdate update;
    private final List<Tensor> masters = new ArrayList<>();
    private final List<List<Tensor>> states = new ArrayList<>();
    private final List<Tensor> targets = new ArrayList<>();
    private final List<Buffer> buffers = new ArrayList<>();

    OwnedStates(Units units, WeightStage weights, GradientStage gradients, Stack stack, Optimizer optimizer) {
        TensorBackend backend = stack.backend();
        this.units = units;
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

    /** Begins a step, when all gradients are there; then each unit is updated once, in order. */
    void prepare(Optimizer.Step step) {
        update.prepare(step);
    }

    /**
     * Updates what this rank owns of a unit.
     *
     * @param step with the weight decay of the parameters that decay
     */
    void update(int unit, Optimizer.Step step) {
        update.update(unit, step);
        publish(unit);
    }

    @Override
    public void close() {
        update.close();
        buffers.forEach(Buffer::close);
    }
}
