package ds.zero.optimizer;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What a rank owns, cut into tiles of limited size, which bound the memory of whatever is computed beside the states. What is not
 * F32 is brought into F32 here, tile by tile, and kept again after an update.
 */
final class Tiles implements AutoCloseable {
    /** The most elements of a tile. */
    static final long ELEMENTS = 1 << 20;

    private final TensorBackend backend;
    private final Transfers transfers;
    private final Kernels kernels;
    private final long largest;
    private final List<Optional<Tensor>> scratch =
            new ArrayList<>(); // the gradient's, the weights', and those of the states

    /**
     * Consecutive elements that are updated together.
     *
     * @param first its first element in the unit
     * @param stored its numbers as they are kept
     * @param shard its numbers in F32, where they are or in scratch: good from when they are loaded until another tile is
     * @param decays whether weight decay applies
     */
    record Tile(long first, OwnedUnit.Owned stored, Optimizer.Shard shard, boolean decays) {
        Optimizer.Step step(Optimizer.Step step) {
            return decays ? step : step.withoutDecay();
        }

        long elements() {
            return stored.gradient().elements();
        }

        /** {@return its numbers where they are, the gradient in its own type; see {@link #isUpdatedInPlace}} */
        Optimizer.Shard inPlace() {
            return new Optimizer.Shard(shard.weights(), stored.gradient(), shard.states());
        }
    }

    /**
     * Allocates one tile of F32 for each kind of numbers that is kept in another type.
     *
     * @param transfers borrowed
     */
    Tiles(TensorBackend backend, List<OwnedUnit> units, Transfers transfers) {
        this.backend = backend;
        this.transfers = transfers;
        this.kernels = backend.kernels(backend.computeStream());
        long most = units.stream()
                .mapToLong(unit -> unit.owned().weights().elements())
                .max()
                .orElse(0);
        this.largest = Math.min(ELEMENTS, most);
        List<OwnedUnit.Owned> all = units.stream().map(OwnedUnit::owned).toList();
        addScratch(all.stream().anyMatch(owned -> owned.gradient().dtype() != DType.F32));
        addScratch(all.stream().anyMatch(owned -> !owned.weights().isF32()));
        int states = all.isEmpty() ? 0 : all.getFirst().states().size();
        for (int i = 0; i < states; i++) {
            int state = i;
            addScratch(all.stream().anyMatch(owned -> !owned.states().get(state).isF32()));
        }
    }

    private void addScratch(boolean needed) {
        scratch.add(needed ? Optional.of(backend.allocate(DType.F32, Shape.of(largest), "scratch")) : Optional.empty());
    }

    /** {@return the elements of the largest tile} */
    long largest() {
        return largest;
    }

    /** {@return tiles of what lies between two elements of a unit, those that decay first, as far as this rank owns it} */
    List<Tile> cut(OwnedUnit unit, long from, long to) {
        long decaying = Math.clamp(unit.decayingEnd(), from, to);
        List<Tile> tiles = cut(unit, from, decaying, true);
        tiles.addAll(cut(unit, decaying, to, false));
        return tiles;
    }

    /** {@return tiles of what lies between two elements of a unit, as far as this rank owns it; to be added to} */
    List<Tile> cut(OwnedUnit unit, long from, long to, boolean decays) {
        List<Tile> tiles = new ArrayList<>();
        long end = Math.min(to, unit.ownedEnd());
        for (long first = Math.max(from, unit.ownedFirst()); first < end; first += largest) {
            tiles.add(tile(unit, first, Math.min(largest, end - first), decays));
        }
        return tiles;
    }

    private Tile tile(OwnedUnit unit, long first, long elements, boolean decays) {
        OwnedUnit.Owned stored = unit.owned().slice(first - unit.ownedFirst(), elements);
        Tensor gradient = stored.gradient().dtype() == DType.F32
                ? stored.gradient()
                : scratch.getFirst().orElseThrow().slice(0, elements);
        List<Tensor> states = new ArrayList<>();
        for (int i = 0; i < stored.states().size(); i++) {
            states.add(inF32(stored.states().get(i), 2 + i));
        }
        return new Tile(first, stored, new Optimizer.Shard(inF32(stored.weights(), 1), gradient, states), decays);
    }

    private Tensor inF32(StoredElements stored, int slot) {
        return switch (stored) {
            case StoredElements.F32(Tensor all) -> all;
            case StoredElements other -> scratch.get(slot).orElseThrow().slice(0, other.elements());
        };
    }

    /**
     * Begins a step.
     *
     * @param gradients of the tiles that will be loaded, in that order; see {@link #gradients}
     */
    void expect(List<Tensor> gradients) {
        transfers.expect(gradients);
    }

    /** {@return the gradients of tiles} */
    static List<Tensor> gradients(List<Tile> tiles) {
        return tiles.stream().map(tile -> tile.stored().gradient()).toList();
    }

    /**
     * {@return whether all that an update needs is here in F32, but for a BF16 gradient and BF16 weights made of it: then nothing
     * has to be brought here or back}
     */
    boolean isUpdatedInPlace(Tile tile) {
        OwnedUnit.Owned stored = tile.stored();
        return transfers.areLocal()
                && stored.weights().isF32()
                && stored.states().stream().allMatch(StoredElements::isF32)
                && stored.gradient().dtype() == DType.BF16
                && stored.published()
                        .filter(weights -> weights.dtype() == DType.BF16)
                        .isPresent();
    }

    /** {@return a tile's weights, states and gradient in F32} */
    Optimizer.Shard load(Tile tile) {
        Tensor given = transfers.take(tile.stored().gradient());
        Optimizer.Shard kept = loadKept(tile);
        if (given.dtype() != DType.F32) {
            kernels.copy(given, kept.gradient());
            return kept;
        }
        return new Optimizer.Shard(kept.weights(), given, kept.states());
    }

    /** {@return a tile's weights and states in F32; its gradient is not to be read} */
    Optimizer.Shard loadKept(Tile tile) {
        tile.stored().weights().load(kernels, tile.shard().weights());
        for (int i = 0; i < tile.stored().states().size(); i++) {
            tile.stored().states().get(i).load(kernels, tile.shard().states().get(i));
        }
        return tile.shard();
    }

    /** Keeps the weights of the tile that was loaded last, and publishes them. */
    void storeWeights(Tile tile, Optimizer.Step step) {
        OwnedUnit.Owned stored = tile.stored();
        stored.weights().store(kernels, tile.shard().weights(), step.number());
        stored.published()
                .ifPresent(weights -> transfers.publish(stored.weights().published(), weights));
    }

    /** Keeps the states of the tile that was loaded last. */
    void storeStates(Tile tile, Optimizer.Step step) {
        for (int i = 0; i < tile.stored().states().size(); i++) {
            tile.stored().states().get(i).store(kernels, tile.shard().states().get(i), step.number());
        }
    }

    @Override
    public void close() {
        scratch.forEach(tensor -> tensor.ifPresent(given -> given.buffer().close()));
    }
}
