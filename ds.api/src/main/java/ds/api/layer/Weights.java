package ds.api.layer;

import ds.api.Tensor;

/** Where the values and gradients of parameters are at the moment. Whoever shards or offloads them implements this. */
public interface Weights {
    /** {@return the values, in the compute type, with the parameter's dims; borrowed for the current call of a layer} */
    Tensor value(Parameter parameter);

    /** {@return where to add the gradient: F32, with the parameter's dims; borrowed for the current call of a layer} */
    Tensor gradient(Parameter parameter);
}
