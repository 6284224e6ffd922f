package ds.zero.optimizer;

import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.spi.LayerwiseOptimizer;
import ds.api.spi.MatrixOptimizer;
import ds.api.spi.Optimizer;
import java.util.List;

/** How the weights that this rank owns change in a step. All ranks call the methods in the same order. */
public interface UnitUpdate extends AutoCloseable {
    /**
     * {@return the way of an optimizer's family, handed over}
     *
     * @param backend on which the units' tensors lie
     * @param communicator of the ranks that share the units
     * @param units all of the model
     */
    static UnitUpdate of(Optimizer optimizer, TensorBackend backend, Communicator communicator, List<OwnedUnit> units) {
        return switch (optimizer) {
            case LayerwiseOptimizer layerwise -> new LayerwiseUpdate(layerwise, backend, communicator, units);
            case MatrixOptimizer matrix -> new MatrixUpdate(matrix, backend, communicator, units);
            case Optimizer elementwise -> new ElementwiseUpdate(elementwise, backend, units);
        };
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
