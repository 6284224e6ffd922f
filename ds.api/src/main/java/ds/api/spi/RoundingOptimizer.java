package ds.api.spi;

import ds.api.Kernels;
import ds.api.Tensor;

/**
 * An elementwise optimizer that takes gradients as they are kept, and rounds the new weights, in the same pass over memory. Its
 * bits are those of {@link #update} between two conversions.
 */
public interface RoundingOptimizer extends Optimizer {
    /**
     * Updates a shard in place, in the order of the kernels' stream.
     *
     * @param shard whose gradient is of any floating type
     * @param rounded {@code [n]}, of any floating type: overwritten by the new weights, rounded to nearest
     */
    void update(Kernels kernels, Shard shard, Step step, Tensor rounded);
}
