package ds.zero.optimizer;

import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import ds.api.spi.RoundingOptimizer;
import ds.zero.optimizer.Tiles.Tile;
import java.util.ArrayList;
import java.util.List;

/** Each element by itself: no communication, and the same bits for any shards and tiles. */
final class ElementwiseUpdate implements UnitUpdate {
    private final Optimizer optimizer;
    private final Kernels kernels;
    private final Tiles tiles;
    private final List<List<Tile>> tilesOfUnit = new ArrayList<>();
    private final List<Tensor> gradients = new ArrayList<>();

    /** Owns the tiles. */
    ElementwiseUpdate(Optimizer optimizer, TensorBackend backend, List<OwnedUnit> units, Tiles tiles) {
        this.optimizer = optimizer;
        this.kernels = backend.kernels(backend.computeStream());
        this.tiles = tiles;
        for (OwnedUnit unit : units) {
            List<Tile> all = tiles.cut(unit, 0, unit.elements());
            tilesOfUnit.add(all);
            gradients.addAll(Tiles.gradients(all));
        }
    }

    @Override
    public void prepare(Optimizer.Step step) {
        tiles.expect(gradients); // elements need nothing of each other
    }

    @Override
    public void update(int unit, Optimizer.Step step) {
        for (Tile tile : tilesOfUnit.get(unit)) {
            if (optimizer instanceof RoundingOptimizer rounding && tiles.isUpdatedInPlace(tile)) {
                rounding.update(
                        kernels,
                        tile.inPlace(),
                        tile.step(step),
                        tile.stored().published().orElseThrow());
            } else {
                optimizer.update(kernels, tiles.load(tile), tile.step(step));
                tiles.storeStates(tile, step);
                tiles.storeWeights(tile, step);
            }
        }
    }

    @Override
    public void close() {
        tiles.close();
    }
}
