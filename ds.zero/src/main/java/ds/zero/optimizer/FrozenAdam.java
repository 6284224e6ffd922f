package ds.zero.optimizer;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Lamb;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import ds.zero.config.OptimizerConfig;
import ds.zero.optimizer.Tiles.Tile;

/**
 * Adam's step from moments that are there already: {@code w = w - rate · (c1 m / (sqrt(c2 v) + epsilon) + weightDecay · w)}, where c1
 * corrects the bias of a momentum of so many updates, and c2 that of a variance which has stopped after fewer.
 */
final class FrozenAdam implements AutoCloseable {
    private final OptimizerConfig.Adam config;
    private final Kernels kernels;
    private final Tiles tiles;
    private final Tensor direction;

    /** Borrows the tiles. */
    FrozenAdam(OptimizerConfig.Adam config, TensorBackend backend, Tiles tiles) {
        this.config = config;
        this.kernels = backend.kernels(backend.computeStream());
        this.tiles = tiles;
        this.direction = backend.allocate(DType.F32, Shape.of(tiles.largest()), "scratch");
    }

    /**
     * Updates a tile.
     *
     * @param varianceUpdates how many gradients the variance has seen
     */
    void update(Tile tile, Optimizer.Step step, long varianceUpdates) {
        Optimizer.Step own = tile.step(step);
        double beta1 = own.momentumOr(config.beta1());
        double correction = config.biasCorrection() ? 1 / (1 - Math.pow(beta1, own.number())) : 1;
        // A first beta of 0 leaves the momentum as it is: its correction is another step's than the variance's.
        Lamb lamb = new Lamb(
                0,
                config.beta2(),
                config.epsilon(),
                false,
                own.weightDecay() / correction,
                config.biasCorrection(),
                varianceUpdates,
                1);
        Optimizer.Shard shard = tiles.loadKept(tile);
        Tensor target = direction.slice(0, tile.elements());
        kernels.lambDirection(
                lamb, shard.weights(), shard.states().get(0), shard.states().get(1), target);
        kernels.axpby(-own.learningRate() * correction, target, 1, shard.weights());
        tiles.storeWeights(tile, own);
    }

    @Override
    public void close() {
        direction.buffer().close();
    }
}
