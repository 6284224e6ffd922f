package ds.zero.optimizer;

import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.spi.LayerwiseOptimizer;
import ds.api.spi.MatrixOptimizer;
import ds.api.spi.Optimizer;
import ds.zero.onebit.Exchange;
import ds.zero.run.Stack;
import java.util.List;

/** How the weights that this rank owns change in a step. All ranks call the methods in the same order. */
public interface UnitUpdate extends UpdatePhases, AutoCloseable {
    /** The most elements that are updated, and travel, at once. */
    long TILE_ELEMENTS = Tiles.ELEMENTS;

    /**
     * {@return the way of an optimizer's family, handed over}
     *
     * @param stack on which the units' masters and states lie, and the ranks that share the units
     * @param units all that are updated here
     * @param transfers of gradients and weights; borrowed
     * @param exchange how an optimizer's own communication is waited for
     */
    static UnitUpdate of(
            Optimizer optimizer, Stack stack, List<OwnedUnit> units, Transfers transfers, Exchange exchange) {
        TensorBackend backend = stack.backend();
        Communicator communicator = stack.communicator();
        Tiles tiles = new Tiles(backend, units, transfers);
        return switch (optimizer) {
            case OneBitAdamOptimizer(var config) -> {
                UnitUpdate warmUp = new ElementwiseUpdate(new AdamOptimizer(config.adam()), backend, units, tiles);
                yield new OneBitUpdate(config, backend, communicator, units, warmUp, tiles, exchange);
            }
            case ZeroOneAdamOptimizer(var config) -> new ZeroOneUpdate(config, stack, units, tiles, exchange);
            case LayerwiseOptimizer layerwise -> new LayerwiseUpdate(layerwise, backend, communicator, units, tiles);
            case MatrixOptimizer matrix -> new MatrixUpdate(matrix, backend, communicator, units, tiles);
            case Optimizer elementwise -> new ElementwiseUpdate(elementwise, backend, units, tiles);
        };
    }

    /** {@return whether an optimizer works element by element, and so on any part of a parameter} */
    static boolean isElementwise(Optimizer optimizer) {
        return !(optimizer instanceof LayerwiseOptimizer
                || optimizer instanceof MatrixOptimizer
                || optimizer instanceof OneBitAdamOptimizer
                || optimizer instanceof ZeroOneAdamOptimizer);
    }

    /** {@return whether the model computes with other weights than the masters between updates, even where both are F32} */
    static boolean keepsMastersApart(Optimizer optimizer) {
        return optimizer instanceof ZeroOneAdamOptimizer;
    }

    /** Does what a step needs before its first unit is updated, when all gradients are there. */
    void prepare(Optimizer.Step step);

    /**
     * Updates the weights that this rank owns of a unit.
     *
     * @param unit its place in the list
     * @param step with the weight decay of the parameters that decay
     */
    void update(int unit, Optimizer.Step step);

    @Override
    void close();
}
