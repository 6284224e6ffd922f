package ds.api.layer;

import ds.api.Tensor;

/** Where the values and gradients of parameters are at the moment. Whoever shards or offloads them implements this. */
public interface Weights {
    /** {@return the values, in the compute type, with the parameter's dims; borrowed for the current call of a layer} */
    Tensor value(Parameter parameter);

    /** {@return where to add to the gradient: F32, with the parameter's dims; borrowed for the current call of a layer} */
    Tensor gradient(Parameter parameter);

    /**
     * {@return where to write, or add, a contribution to the gradient, for a kernel that does either: F32; borrowed as {@link
     * #gradient}, and to be written before anything is asked for again}
     */
    default GradientSum gradientSum(Parameter parameter) {
        return new GradientSum(gradient(parameter), 1);
    }

    /**
     * {@return where to write all that a micro-batch contributes to the gradient, by one kernel: of any floating type, in which
     * gradients are kept, and otherwise as {@link #gradientSum}} Whoever asks for it asks once in a micro-batch, and for nothing
     * else of that parameter; parameters that several layers share are cared for.
     */
    default GradientSum wholeGradient(Parameter parameter) {
        return gradientSum(parameter);
    }

    /** Is told that the layer that is called adds no more to the gradient in this micro-batch, so that it may travel at once. */
    default void gradientDone(Parameter parameter) {}
}
