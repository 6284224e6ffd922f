package ds.zero.config;

import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;
import ds.zero.config.json.Range;
import java.util.List;

/** By what the loss is multiplied before it is differentiated, so that small gradients do not vanish in FP16. */
public sealed interface LossScaling {
    /** The keys of the block {@code fp16} beside {@code enabled}. */
    List<String> KEYS = List.of(
            "loss_scale",
            "initial_scale_power",
            "loss_scale_window",
            "hysteresis",
            "consecutive_hysteresis",
            "min_loss_scale");

    /**
     * Always the same: {@code fp16.loss_scale} above 0.
     *
     * @param scale above 0
     */
    record Static(double scale) implements LossScaling {
        /** Rejects what is no scale. */
        public Static {
            if (!(scale > 0) || Double.isInfinite(scale)) {
                throw new ConfigException("fp16.loss_scale", scale, "must be positive and finite", "0 is dynamic");
            }
        }
    }

    /**
     * As large as gradients allow: halved when they overflow, doubled when they have not for a while.
     *
     * @param initialPower {@code initial_scale_power}: the first scale is two to this power
     * @param window {@code loss_scale_window}: steps without overflow before the scale is doubled
     * @param hysteresis how many overflows it takes to halve it
     * @param consecutiveHysteresis whether only overflows in a row count
     * @param leastScale {@code min_loss_scale}; an overflow at this scale ends the run
     */
    record Dynamic(int initialPower, long window, long hysteresis, boolean consecutiveHysteresis, double leastScale)
            implements LossScaling {
        /** DeepSpeed's values. */
        public static final Dynamic DEFAULT = new Dynamic(16, 1000, 2, false, 1);

        /** Rejects what cannot work. */
        public Dynamic {
            require("initial_scale_power", initialPower, initialPower >= 0 && initialPower <= 31, "in [0, 31]");
            require("loss_scale_window", window, window > 0, "positive");
            require("hysteresis", hysteresis, hysteresis > 0, "positive");
            require(
                    "min_loss_scale",
                    leastScale,
                    leastScale > 0 && leastScale <= Math.scalb(1.0, initialPower),
                    "positive, and at most two to the power of fp16.initial_scale_power");
        }

        private static void require(String key, Object value, boolean holds, String what) {
            if (!holds) {
                throw new ConfigException("fp16." + key, value, "must be " + what, "remove the key for the default");
            }
        }
    }

    /** {@return what the keys of the block {@code fp16} say} */
    static LossScaling read(Block fp16, boolean enabled) {
        double scale = fp16.number("loss_scale", 0, Range.atLeast(0));
        Dynamic defaults = Dynamic.DEFAULT;
        int power = (int) fp16.integer("initial_scale_power", defaults.initialPower, 0, 31);
        long window = fp16.integer("loss_scale_window", defaults.window, 1, Long.MAX_VALUE);
        long hysteresis = fp16.integer("hysteresis", defaults.hysteresis, 1, Long.MAX_VALUE);
        boolean consecutive = fp16.flag("consecutive_hysteresis", defaults.consecutiveHysteresis);
        double least = fp16.integer("min_loss_scale", 1, 1, 1L << 31);
        if (!enabled) {
            KEYS.forEach(key -> fp16.acceptWithoutEffect(key, "fp16 is not switched on"));
            return defaults;
        }
        return scale > 0
                ? new Static(scale)
                : fp16.check(() -> new Dynamic(power, window, hysteresis, consecutive, least), defaults);
    }
}
