package ds.zero.config;

import ds.zero.config.json.ConfigException;
import ds.zero.config.json.Range;
import java.util.Map;

/** The block {@code optimizer}. */
public sealed interface OptimizerConfig {
    /** {@return {@code optimizer.type} as it is written} */
    String type();

    /** {@return {@code lr}: the learning rate from which the schedule starts out} */
    double learningRate();

    /** {@return {@code weight_decay} of the parameters that decay} */
    double weightDecay();

    /**
     * The built-in Adam (Kingma &amp; Ba, arXiv:1412.6980) and AdamW (Loshchilov &amp; Hutter, arXiv:1711.05101). As in DeepSpeed
     * both are AdamW, unless the type is {@code Adam} and {@code adam_w_mode} is false.
     *
     * @param type {@code Adam} or {@code AdamW}, in any case
     * @param learningRate at least 0
     * @param beta1 decay of the first moment, in [0, 1)
     * @param beta2 decay of the second moment, in [0, 1)
     * @param epsilon added to the root of the second moment, above 0
     * @param weightDecay at least 0
     * @param biasCorrection whether the moments are divided by {@code 1 - beta^t}
     * @param decoupled true for AdamW; false for weight decay in the gradient
     */
    record Adam(
            String type,
            double learningRate,
            double beta1,
            double beta2,
            double epsilon,
            double weightDecay,
            boolean biasCorrection,
            boolean decoupled)
            implements OptimizerConfig {
        /** Rejects what is out of range. */
        public Adam {
            require("lr", learningRate, Range.atLeast(0));
            require("betas", beta1, Range.halfOpen(0, 1));
            require("betas", beta2, Range.halfOpen(0, 1));
            require("eps", epsilon, Range.above(0));
            require("weight_decay", weightDecay, Range.atLeast(0));
        }
    }

    /**
     * An optimizer that a provider on the module path supplies; the provider checks the options.
     *
     * @param type the provider's name
     * @param learningRate at least 0
     * @param weightDecay at least 0
     * @param options {@code optimizer.params} without {@code lr} and {@code weight_decay}, as plain Java values
     */
    record Provided(String type, double learningRate, double weightDecay, Map<String, Object> options)
            implements OptimizerConfig {
        /** Rejects what is out of range; copies the options. */
        public Provided {
            require("lr", learningRate, Range.atLeast(0));
            require("weight_decay", weightDecay, Range.atLeast(0));
            options = Map.copyOf(options);
        }
    }

    private static void require(String key, double value, Range range) {
        if (!range.contains(value)) {
            throw new ConfigException("optimizer.params." + key, value, "must be " + range, "");
        }
    }
}
