package ds.zero.config;

import ds.api.DType;
import ds.zero.config.json.Block;

/**
 * The element type of weights and activations. Optimizers compute in F32 with any of them, on F32 master weights unless {@link
 * #states} says otherwise.
 */
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
     * BF16 weights and activations, with F32 master weights unless {@code states} says otherwise.
     *
     * @param checkGradientOverflow whether a step whose gradients are not finite is skipped on all ranks; without it such
     *     gradients are applied
     * @param states how master weights and optimizer states are kept
     */
    record Bf16(boolean checkGradientOverflow, StatePrecision states) implements Precision {
        /** With states in F32. */
        public Bf16(boolean checkGradientOverflow) {
            this(checkGradientOverflow, StatePrecision.FULL);
        }

        @Override
        public DType weights() {
            return DType.BF16;
        }
    }

    /**
     * FP16 weights and activations with F32 master weights. A step whose gradients are not finite is skipped on all ranks.
     *
     * @param scaling of the loss
     */
    record Fp16(LossScaling scaling) implements Precision {
        @Override
        public DType weights() {
            return DType.F16;
        }
    }

    /** {@return whether a step whose gradients are not finite is skipped} */
    default boolean skipsOverflow() {
        return switch (this) {
            case F32() -> true;
            case Bf16(boolean check, StatePrecision _) -> check;
            case Fp16(LossScaling scaling) -> true;
        };
    }

    /** {@return how master weights and optimizer states are kept} */
    default StatePrecision states() {
        return StatePrecision.FULL;
    }

    /**
     * {@return the same with masters and optimizer states kept so}
     *
     * @throws IllegalArgumentException if they are kept in less than F32 and the model does not compute in BF16
     */
    default Precision withStates(StatePrecision states) {
        if (this instanceof Bf16(boolean check, StatePrecision _)) {
            return new Bf16(check, states);
        }
        if (!states.equals(states())) {
            throw new IllegalArgumentException(
                    states + ": of " + weights() + ", whose masters and states are F32; use bf16.enabled");
        }
        return this;
    }

    /** {@return what DeepSpeed's keys call a type: {@code fp32}, {@code bf16} or {@code fp16}} */
    static String nameOf(DType dtype) {
        return switch (dtype) {
            case F32 -> "fp32";
            case BF16 -> "bf16";
            case F16 -> "fp16";
            case F64, I32 -> throw new IllegalArgumentException(dtype + ": no type of weights");
        };
    }

    /** {@return the precision that the blocks {@code bf16} and {@code fp16} choose} */
    static Precision read(Block root) {
        Block bf16 = root.block("bf16");
        Block fp16 = root.block("fp16");
        boolean brain = enabled(bf16);
        boolean half = enabled(fp16);
        boolean check = bf16.flag("check_grad_overflow", true);
        LossScaling scaling = LossScaling.read(fp16, half);
        StatePrecision states = StatePrecision.read(root, brain);
        if (brain && half) {
            fp16.problem("enabled", "bf16.enabled is true as well", "choose one of them");
        }
        if (brain) {
            return new Bf16(check, states);
        }
        return half ? new Fp16(scaling) : new F32();
    }

    private static boolean enabled(Block block) {
        if (block.isAuto("enabled")) {
            block.problem("enabled", "stands for a choice made outside this file", "write true or false");
            block.drop("enabled");
        }
        return block.flag("enabled", false);
    }
}
