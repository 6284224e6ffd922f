package ds.api.spi;

import ds.api.Kernels;
import ds.api.Tensor;
import java.util.List;
import java.util.OptionalDouble;

/**
 * Updates weights from gradients, elementwise: what happens to an element depends on that element alone, so that any way to
 * shard gives the same bits. Stateless itself; its states are tensors that the caller keeps, shards, offloads and saves.
 */
public interface Optimizer {
    /** {@return the names of its states per element, such as {@code exp_avg}; each is F32 and zero before step 1} */
    List<String> states();

    /** Updates a shard in place, in the order of the kernels' stream. */
    void update(Kernels kernels, Shard shard, Step step);

    /**
     * Consecutive elements of one parameter group; their boundaries have no meaning.
     *
     * @param weights F32 {@code [n]}; overwritten
     * @param gradient F32 {@code [n]}; sum over ranks and micro-batches, before {@link Step#gradientScale}; not
     *     to be written
     * @param states F32 {@code [n]} each, in the order of {@link Optimizer#states}; overwritten
     */
    record Shard(Tensor weights, Tensor gradient, List<Tensor> states) {}

    /**
     * The scalars of a step.
     *
     * @param number counted from 1; skipped steps do not count
     * @param learningRate of this step
     * @param weightDecay of this parameter group; 0 for none
     * @param gradientScale to be multiplied with every gradient: averaging, unscaling and clipping in one factor
     * @param momentum of this step where the schedule cycles it: in place of the optimizer's own momentum, or first beta; an
     *     optimizer without one has no use for it
     */
    record Step(long number, double learningRate, double weightDecay, double gradientScale, OptionalDouble momentum) {
        /** {@return the same for a parameter group that does not decay} */
        public Step withoutDecay() {
            return new Step(number, learningRate, 0, gradientScale, momentum);
        }

        /**
         * {@return the momentum of this step}
         *
         * @param own the optimizer's, unless the schedule has another one
         */
        public double momentumOr(double own) {
            return momentum.orElse(own);
        }
    }
}
