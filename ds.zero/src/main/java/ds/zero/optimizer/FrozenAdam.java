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
        double correction = correction(own);
        Optimizer.Shard shard = tiles.loadKept(tile);
        Tensor target = direction(tile, shard, shard.states().get(0), own.weightDecay() / correction, varianceUpdates);
        kernels.axpby(-own.learningRate() * correction, target, 1, shard.weights());
        tiles.storeWeights(tile, own);
    }

    double beta1(Optimizer.Step step) {
        return step.momentumOr(config.beta1());
    }

    /** {@return c1: what a momentum of so many updates is multiplied by} */
    double correction(Optimizer.Step step) {
        return config.biasCorrection() ? 1 / (1 - Math.pow(beta1(step), step.number())) : 1;
    }

    /**
     * {@return {@code x / (sqrt(c2 v) + epsilon) + decay · w}, the latter where the tile decays; valid until the next call}
     *
     * @param shard the tile's numbers in F32
     * @param x F32, as many elements
     * @param varianceUpdates how many gradients the variance has seen
     */
    Tensor direction(Tile tile, Optimizer.Shard shard, Tensor x, double decay, long varianceUpdates) {
        Tensor target = direction.slice(0, tile.elements());
        // A first beta of 0 leaves x as it is: its correction is another step's than the variance's.
        Lamb lamb = new Lamb(
                0,
                config.beta2(),
                config.epsilon(),
                false,
                tile.decays() ? decay : 0,
                config.biasCorrection(),
                varianceUpdates,
                1);
        kernels.lambDirection(lamb, shard.weights(), x, shard.states().get(1), target);
        return target;
    }

    @Override
    public void close() {
        direction.buffer().close();
    }
}
