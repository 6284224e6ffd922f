package ds.zero.optimizer;

import ds.api.Kernels;
import ds.api.Tensor;
import java.util.List;

/**
 * How gradients come to the backend that updates, and new weights get to where they are kept. Both may be in other memory; then
 * they travel while other tiles are updated. Used by the thread that trains alone.
 */
public interface Transfers extends AutoCloseable {
    /** {@return transfers where everything is in one memory} */
    static Transfers local(Kernels kernels) {
        return new LocalTransfers(kernels);
    }

    /** {@return whether gradients and weights are in the memory of the backend that updates} */
    default boolean areLocal() {
        return false;
    }

    /**
     * Begins a step, when all gradients are there.
     *
     * @param gradients what {@link #take} will be asked for, in that order
     */
    void expect(List<Tensor> gradients);

    /** {@return a gradient on the backend that updates, in its own type; borrowed until the next one is taken} */
    Tensor take(Tensor gradient);

    /**
     * Makes weights what their masters are, rounded to the weights' type.
     *
     * @param values on the backend that updates; they may change as soon as {@link #await} returns, on another device than the
     *     weights' at once
     */
    void publish(Tensor values, Tensor weights);

    /** Has everything that is enqueued from now on, on the compute stream of the model's device, find what was published. */
    void published();

    /** Waits until all that was published is there. */
    void await();

    @Override
    void close();
}
