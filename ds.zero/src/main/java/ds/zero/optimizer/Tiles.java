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
 * What a rank owns, cut into tiles of limited size, which bound the memory of whatever is computed beside the states. Gradients
 * that are not F32 are brought into F32 here, tile by tile.
 */
final class Tiles implements AutoCloseable {
    /** The most elements of a tile. */
    static final long ELEMENTS = 1 << 20;

    private final Kernels kernels;
    private final long largest;
    private final Optional<Tensor> converted;

    /**
     * Consecutive elements that are updated together.
     *
     * @param first its first element in the unit
     * @param shard its tensors; the gradient is F32, and may first have to be brought there
     * @param source the gradient as it was summed
     * @param decays whether weight decay applies
     */
    record Tile(long first, Optimizer.Shard shard, Tensor source, boolean decays) {
        Optimizer.Step step(Optimizer.Step step) {
            return decays ? step : step.withoutDecay();
        }

        long elements() {
            return source.elements();
        }
    }

    /** Allocates one tile of F32 gradients if any unit's have another type. */
    Tiles(TensorBackend backend, List<OwnedUnit> units) {
        this.kernels = backend.kernels(backend.computeStream());
        long most = units.stream()
                .mapToLong(unit -> unit.owned().weights().elements())
                .max()
                .orElse(0);
        this.largest = Math.min(ELEMENTS, most);
        boolean needed = units.stream().anyMatch(unit -> unit.owned().gradient().dtype() != DType.F32);
        this.converted =
                needed ? Optional.of(backend.allocate(DType.F32, Shape.of(largest), "scratch")) : Optional.empty();
    }

    /** {@return the elements of the largest tile} */
    long largest() {
        return largest;
    }

    /** {@return tiles of what lies between two elements of a unit, as far as this rank owns it} */
    List<Tile> cut(OwnedUnit unit, long from, long to, boolean decays) {
        List<Tile> tiles = new ArrayList<>();
        long end = Math.min(to, unit.ownedEnd());
        for (long first = Math.max(from, unit.ownedFirst()); first < end; first += largest) {
            tiles.add(tile(unit, first, Math.min(largest, end - first), decays));
        }
        return tiles;
    }

    private Tile tile(OwnedUnit unit, long first, long elements, boolean decays) {
        long offset = first - unit.ownedFirst();
        Optimizer.Shard owned = unit.owned();
        Tensor source = owned.gradient().slice(offset, elements);
        Tensor gradient =
                source.dtype() == DType.F32 ? source : converted.orElseThrow().slice(0, elements);
        List<Tensor> states = owned.states().stream()
                .map(state -> state.slice(offset, elements))
                .toList();
        return new Tile(
                first, new Optimizer.Shard(owned.weights().slice(offset, elements), gradient, states), source, decays);
    }

    /** {@return a tile's tensors with its gradient in F32; good until the next tile is asked for} */
    Optimizer.Shard withGradient(Tile tile) {
        if (tile.source() != tile.shard().gradient()) {
            kernels.copy(tile.source(), tile.shard().gradient());
        }
        return tile.shard();
    }

    @Override
    public void close() {
        converted.ifPresent(tensor -> tensor.buffer().close());
    }
}
