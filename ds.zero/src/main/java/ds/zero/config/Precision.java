package ds.zero.config;

import ds.api.DType;

/** The element type of weights and activations. Gradients accumulate, and optimizers compute, in F32 with either. */
public sealed interface Precision {
    /** {@return the element type of the weights that the model computes with} */
    DType weights();

    /** Everything in F32. */
    record F32() implements Precision {
        @Override
        public DType weights() {
            return DType.F32;
        }
    }

    /**
     * BF16 weights and activations with F32 master weights.
     *
     * @param checkGradientOverflow whether a step whose gradients are not finite is skipped on all ranks; without it such
     *     gradients are applied
     */
    record Bf16(boolean checkGradientOverflow) implements Precision {
        @Override
        public DType weights() {
            return DType.BF16;
        }
    }
}
