package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import ds.zero.optimizer.OwnedUnit;
import ds.zero.optimizer.StoredElements;
import ds.zero.optimizer.UnitUpdate;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What this rank updates, in memory: master weights and optimizer states of the elements that it owns, all of them at stage 0 and
 * its shards from stage 1 on.
 */
final class OwnedStates implements UpdatedStates {
    private final TensorBackend backend;
    private final StateKinds kinds;
    private final Kernels kernels;
    private final UnitUpdate update;
    private final List<OwnedUnit.Owned> owned = new ArrayList<>();
    private final List<Buffer> buffers = new ArrayList<>();
    private final F32Copies copies;
    private Optional<Buffer> fetched = Optional.empty();

    OwnedStates(StateKinds kinds, GradientStage gradients, Stack stack) {
        this.kinds = kinds;
        this.backend = stack.backend();
        this.kernels = backend.kernels(backend.computeStream());
        Units units = kinds.units();
        List<OwnedUnit> all = new ArrayList<>();
        for (int unit = 0; unit < units.count(); unit++) {
            owned.add(allocate(unit, gradients.reduced(unit)));
            all.add(ownedUnit(unit));
        }
        this.update = UnitUpdate.of(kinds.optimizer(), backend, stack.communicator(), all);
        this.copies = new F32Copies(backend, owned);
    }

    private OwnedUnit.Owned allocate(int unit, Tensor gradient) {
        UnitLayout.Range range = kinds.units().owned(unit);
        Optional<Tensor> beside = kinds.hasMasters()
                ? Optional.of(allocate(kinds.masterType(), range.elements(), "masterWeights"))
                : Optional.empty();
        Optional<Tensor> weights = Optional.of(kinds.weights().owned(unit));
        List<StoredElements> states = new ArrayList<>();
        for (int i = 0; i < kinds.names().size(); i++) {
            Tensor state = allocate(kinds.stateType(), range.elements(), "optimizerStates");
            states.add(kinds.state(i, unit, range.first(), state));
        }
        return new OwnedUnit.Owned(kinds.masters(unit, range.first(), weights, beside), gradient, states);
    }

    private Tensor allocate(DType dtype, long elements, String label) {
        Tensor tensor = backend.allocate(dtype, Shape.of(elements), label);
        buffers.add(tensor.buffer());
        return tensor;
    }

    private OwnedUnit ownedUnit(int unit) {
        Units units = kinds.units();
        UnitLayout layout = units.layout(unit);
        List<OwnedUnit.Placed> parameters = layout.parameters().stream()
                .map(parameter -> new OwnedUnit.Placed(parameter, layout.offset(parameter), units.isHidden(unit)))
                .toList();
        return new OwnedUnit(
                layout.name(),
                layout.paddedElements(),
                units.owned(unit).first(),
                units.shard(unit).first(),
                owned.get(unit),
                parameters);
    }

    @Override
    public List<String> stateNames() {
        return kinds.names();
    }

    @Override
    public Tensor master(int unit) {
        forget();
        return switch (owned.get(unit).weights()) {
            case StoredElements.F32(Tensor all) -> all;
            case StoredElements.Nearest(Tensor bf16) -> bf16;
            case StoredElements.Stochastic stochastic -> stochastic.bf16();
            case StoredElements.Split split -> {
                Tensor joined = backend.allocate(DType.F32, Shape.of(split.elements()), "temporary");
                fetched = Optional.of(joined.buffer());
                yield split.load(kernels, joined);
            }
        };
    }

    @Override
    public void forget() {
        fetched.ifPresent(Buffer::close);
        fetched = Optional.empty();
    }

    @Override
    public void read(int state, int unit, long first, MemorySegment target) {
        copies.read(numbers(state, unit), first, target);
    }

    @Override
    public void write(int state, int unit, long first, MemorySegment source) {
        copies.write(source, numbers(state, unit), first);
    }

    private StoredElements numbers(int state, int unit) {
        OwnedUnit.Owned all = owned.get(unit);
        return state == MASTER ? all.weights() : all.states().get(state);
    }

    @Override
    public void publish(int unit) {
        if (kinds.publishes()) {
            kernels.copy(master(unit), kinds.weights().owned(unit));
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
        forget();
        copies.close();
        update.close();
        buffers.forEach(Buffer::close);
    }
}
