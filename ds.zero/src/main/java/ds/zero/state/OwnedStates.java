package ds.zero.state;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import ds.zero.gradient.GradientStage;
import ds.zero.onebit.Exchange;
import ds.zero.optimizer.OwnedUnit;
import ds.zero.optimizer.StoredElements;
import ds.zero.optimizer.Transfers;
import ds.zero.optimizer.UnitUpdate;
import ds.zero.optimizer.UpdatePhases;
import ds.zero.run.Stack;
import ds.zero.unit.Share;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What this rank updates, in memory: master weights and optimizer states of the elements that it owns, all of them at stage 0 and
 * its shards from stage 1 on; on the device, or on the host beside it.
 */
final class OwnedStates implements UpdatedStates {
    private final TensorBackend backend;
    private final StateKinds kinds;
    private final Share share;
    private final Kernels kernels;
    private final Transfers transfers;
    private final UnitUpdate update;
    private final Map<Integer, OwnedUnit> owned = new LinkedHashMap<>(); // by unit; none where nothing is kept here
    private final Map<Integer, Integer> places = new HashMap<>(); // of units among those
    private final List<Buffer> buffers = new ArrayList<>();
    private final F32Copies copies;
    private Optional<Buffer> fetched = Optional.empty();

    /**
     * Allocates them.
     *
     * @param stack whose backend updates, and whose communicator reaches its memory; borrowed
     * @param transfers owned
     * @param exchange how an optimizer's own communication is waited for
     */
    OwnedStates(
            StateKinds kinds,
            Share share,
            GradientStage gradients,
            Stack stack,
            Transfers transfers,
            Exchange exchange) {
        this.kinds = kinds;
        this.share = share;
        this.backend = stack.backend();
        this.transfers = transfers;
        this.kernels = backend.kernels(backend.computeStream());
        for (int unit = 0; unit < kinds.units().count(); unit++) {
            if (!share.of(unit).isEmpty()) {
                places.put(unit, owned.size());
                owned.put(unit, ownedUnit(unit, allocate(unit, gradients.reduced(unit))));
            }
        }
        List<OwnedUnit> all = List.copyOf(owned.values());
        this.update = UnitUpdate.of(kinds.optimizer(), stack, all, transfers, exchange);
        this.copies = new F32Copies(backend, all.stream().map(OwnedUnit::owned).toList());
    }

    private OwnedUnit.Owned allocate(int unit, Tensor gradient) {
        UnitLayout.Range range = share.of(unit);
        long first = before(unit);
        Optional<Tensor> beside = kinds.hasMasters()
                ? Optional.of(allocate(kinds.masterType(), range.elements(), "masterWeights"))
                : Optional.empty();
        Tensor weights = kinds.weights().owned(unit).slice(first, range.elements());
        List<StoredElements> states = new ArrayList<>();
        for (int i = 0; i < kinds.names().size(); i++) {
            Tensor state = allocate(kinds.stateType(), range.elements(), "optimizerStates");
            states.add(kinds.state(i, unit, range.first(), state));
        }
        return new OwnedUnit.Owned(
                kinds.masters(unit, range.first(), kinds.inPlace() ? Optional.of(weights) : Optional.empty(), beside),
                gradient.slice(first, range.elements()),
                states,
                kinds.publishes() ? Optional.of(weights) : Optional.empty());
    }

    /** Elements that this rank owns in a unit, and that lie before those that are kept here. */
    private long before(int unit) {
        return share.of(unit).first() - kinds.units().owned(unit).first();
    }

    private Tensor allocate(DType dtype, long elements, String label) {
        Tensor tensor = backend.allocate(dtype, Shape.of(elements), label);
        buffers.add(tensor.buffer());
        return tensor;
    }

    private OwnedUnit ownedUnit(int unit, OwnedUnit.Owned numbers) {
        Units units = kinds.units();
        UnitLayout layout = units.layout(unit);
        List<OwnedUnit.Placed> parameters = layout.parameters().stream()
                .map(parameter -> new OwnedUnit.Placed(parameter, layout.offset(parameter), units.isHidden(unit)))
                .toList();
        return new OwnedUnit(
                layout.name(),
                layout.paddedElements(),
                share.of(unit).first(),
                units.shard(unit).first(),
                numbers,
                parameters);
    }

    @Override
    public TensorBackend backend() {
        return backend;
    }

    @Override
    public List<String> stateNames() {
        return kinds.names();
    }

    @Override
    public Tensor master(int unit) {
        forget();
        return switch (owned.get(unit).owned().weights()) {
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
        copies.read(numbers(state, unit), first - before(unit), target);
    }

    @Override
    public void write(int state, int unit, long first, MemorySegment source) {
        copies.write(source, numbers(state, unit), first - before(unit));
    }

    @Override
    public Optional<MemorySegment> resident(int state, int unit, long first, long count) {
        return numbers(state, unit) instanceof StoredElements.F32(Tensor all)
                        && all.buffer().device().equals(Device.HOST)
                ? Optional.of(all.slice(first - before(unit), count).host())
                : Optional.empty();
    }

    private StoredElements numbers(int state, int unit) {
        OwnedUnit.Owned all = owned.get(unit).owned();
        return state == MASTER ? all.weights() : all.states().get(state);
    }

    @Override
    public void publish(int unit) {
        if (!owned.containsKey(unit)) {
            return;
        }
        OwnedUnit.Owned all = owned.get(unit).owned();
        all.published().ifPresent(weights -> {
            for (long first = 0; first < weights.elements(); first += UnitUpdate.TILE_ELEMENTS) {
                long count = Math.min(UnitUpdate.TILE_ELEMENTS, weights.elements() - first);
                transfers.publish(all.weights().slice(first, count).published(), weights.slice(first, count));
            }
            transfers.published();
        });
    }

    @Override
    public UpdatePhases phases() {
        return update;
    }

    /** Where nothing is brought from elsewhere in the order announced, and optimizers do not communicate. */
    @Override
    public boolean inAnyOrder() {
        return kinds.weights().inMemory()
                && kinds.weights().home().equals(backend.device())
                && UnitUpdate.isElementwise(kinds.optimizer());
    }

    @Override
    public void prepare(Optimizer.Step step) {
        update.prepare(step);
    }

    @Override
    public void update(int unit, Optimizer.Step step) {
        if (places.containsKey(unit)) {
            update.update(places.get(unit), step);
            transfers.published();
        }
    }

    @Override
    public void awaitUpdates() {
        transfers.await();
    }

    @Override
    public void close() {
        forget();
        copies.close();
        update.close();
        transfers.close();
        buffers.forEach(Buffer::close);
    }
}
