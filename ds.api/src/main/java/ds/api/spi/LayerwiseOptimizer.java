package ds.api.spi;

import ds.api.Kernels;
import ds.api.Tensor;

/**
 * An optimizer that scales the step of each parameter by norms of the whole parameter, such as LAMB. {@link #update} takes the
 * gradient into the states and leaves the weights; then the caller asks for directions, sums the squares of weights and
 * directions over all shards of a parameter, and applies {@code weights -= rate · direction}.
 */
public interface LayerwiseOptimizer extends Optimizer {
    /**
     * Computes the direction of a step, elementwise, from weights and states alone; changes nothing else. May be called more than
     * once in a step, and gives the same bits each time.
     *
     * @param shard as {@link #update} left it; its gradient is not to be read
     * @param direction F32 {@code [n]}; overwritten
     */
    void direction(Kernels kernels, Shard shard, Step step, Tensor direction);

    /**
     * {@return the factor of the direction for one parameter}
     *
     * @param weightNorm of the whole parameter, before the step
     * @param directionNorm of the whole direction
     */
    double rate(Step step, double weightNorm, double directionNorm);
}
