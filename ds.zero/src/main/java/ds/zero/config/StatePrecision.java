package ds.zero.config;

import ds.api.DType;
import ds.zero.config.json.Block;
import java.util.List;
import java.util.Locale;

/**
 * In which precision a model that computes in BF16 keeps what the optimizer updates. Optimizers compute in F32 with any.
 *
 * @param masterWeights {@code ds.states.master_weights}
 * @param optimizerStates {@code ds.states.optimizer_states}: the type of moments, F32 or BF16
 * @param rounding {@code ds.states.rounding}: how an update rounds what is kept in BF16
 */
public record StatePrecision(MasterWeights masterWeights, DType optimizerStates, Rounding rounding) {
    /** Everything in F32: 12 bytes of a parameter beside its BF16 weight, with Adam. */
    public static final StatePrecision FULL = new StatePrecision(MasterWeights.FP32, DType.F32, Rounding.STOCHASTIC);

    private static final String BLOCK = "states";
    private static final String MASTERS = "master_weights";
    private static final String STATES = "optimizer_states";
    private static final String BF16_MASTERS = "bf16_master_weights_and_grads";
    private static final String BF16_STATES = "bf16_optimizer_states";

    /** What the optimizer's result is rounded to. */
    public enum MasterWeights {
        /** F32, beside the weights: 4 bytes of a parameter. */
        FP32,
        /** The weights and 16 more bits of each, which make it F32 again: 2 bytes. See {@link ds.api.Bf16}. */
        SPLIT,
        /** The weights themselves: no byte. */
        BF16
    }

    /** How an update rounds to BF16. */
    public enum Rounding {
        /** Up or down at random, such that small updates count on average. */
        STOCHASTIC,
        /** To nearest even: updates of less than half a step of BF16 are lost. */
        NEAREST
    }

    /** Rejects optimizer states that are neither F32 nor BF16. */
    public StatePrecision {
        if (optimizerStates != DType.F32 && optimizerStates != DType.BF16) {
            throw new IllegalArgumentException("optimizer states in " + optimizerStates + ": must be F32 or BF16");
        }
    }

    /** {@return what DeepSpeed's keys and {@code ds.states} say} */
    static StatePrecision read(Block root, boolean isBf16) {
        Block bf16 = root.block("bf16");
        Block own = root.block(RuntimeConfig.BLOCK).block(BLOCK);
        boolean bf16Masters = bf16.flag(BF16_MASTERS, false);
        boolean bf16States = bf16.flag(BF16_STATES, false);
        String masters = own.oneOf(MASTERS, bf16Masters ? "bf16" : "fp32", List.of("fp32", "split", "bf16"));
        String states = own.oneOf(STATES, bf16States ? "bf16" : "fp32", List.of("fp32", "bf16"));
        String rounding = own.oneOf("rounding", "stochastic", List.of("stochastic", "nearest"));
        if (!isBf16) {
            requireBf16(bf16, BF16_MASTERS, bf16Masters);
            requireBf16(bf16, BF16_STATES, bf16States);
            requireBf16(own, MASTERS, !bf16Masters && !masters.equals("fp32"));
            requireBf16(own, STATES, !bf16States && states.equals("bf16"));
            return FULL;
        }
        agree(root, bf16Masters, masters, bf16States, states);
        return new StatePrecision(
                MasterWeights.valueOf(masters.toUpperCase(Locale.ROOT)),
                states.equals("bf16") ? DType.BF16 : DType.F32,
                Rounding.valueOf(rounding.toUpperCase(Locale.ROOT)));
    }

    private static void requireBf16(Block block, String key, boolean set) {
        if (set) {
            block.problem(key, "needs a model that computes in bf16", "set bf16.enabled to true, or remove the key");
        }
    }

    private static void agree(Block root, boolean bf16Masters, String masters, boolean bf16States, String states) {
        Block bf16 = root.block("bf16");
        Block own = root.block(RuntimeConfig.BLOCK).block(BLOCK);
        if (bf16Masters && !masters.equals("bf16")) {
            own.problem(MASTERS, "bf16." + BF16_MASTERS + " is true", "remove one of the two keys");
        }
        if (bf16States && !states.equals("bf16")) {
            own.problem(STATES, "bf16." + BF16_STATES + " is true", "remove one of the two keys");
        }
        if (bf16States && !bf16Masters) {
            bf16.problem(
                    BF16_STATES,
                    "needs bf16." + BF16_MASTERS + ", as in DeepSpeed",
                    "set that to true, or set ds.states.optimizer_states to \"bf16\" in place of this key");
        }
        Object gradients = root.block("data_types").given("grad_accum_dtype");
        if (bf16Masters && gradients != null && !gradients.equals("bf16")) {
            bf16.problem(
                    BF16_MASTERS,
                    "data_types.grad_accum_dtype is " + gradients,
                    "remove that key, or set ds.states.master_weights to \"bf16\" in place of this one");
        }
    }
}
