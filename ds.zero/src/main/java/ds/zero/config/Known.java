package ds.zero.config;

import ds.zero.config.json.Block;
import java.util.OptionalLong;
import java.util.function.LongUnaryOperator;

/**
 * What the caller knows beside the configuration; with it {@code "auto"} is resolved and the batch sizes are completed.
 *
 * @param worldSize how many ranks train, at least 1
 * @param totalSteps how many optimizer updates the run makes, where that is known
 * @param hiddenSize the model's hidden size C, where that is known
 */
public record Known(int worldSize, OptionalLong totalSteps, OptionalLong hiddenSize) {
    /** Rejects counts below 1. */
    public Known {
        if (worldSize < 1 || totalSteps.orElse(1) < 1 || hiddenSize.orElse(1) < 1) {
            throw new IllegalArgumentException("world size " + worldSize + ", total steps " + totalSteps
                    + ", hidden size " + hiddenSize + ": each must be at least 1");
        }
    }

    /**
     * Resolves {@code "auto"} by the model's hidden size, or reports that it is not known.
     *
     * @param how the value comes about, with {@code %d} for the hidden size
     */
    void inferFromHiddenSize(Block block, String key, String how, LongUnaryOperator rule) {
        if (!block.isAuto(key)) {
            return;
        }
        if (hiddenSize.isPresent()) {
            long h = hiddenSize.getAsLong();
            block.infer(key, rule.applyAsLong(h), how.formatted(h));
        } else {
            block.problem(
                    key, "depends on the model's hidden size, which is not known here", "give a number of elements");
            block.drop(key);
        }
    }

    /** {@return only the number of ranks} */
    public static Known ofWorld(int worldSize) {
        return new Known(worldSize, OptionalLong.empty(), OptionalLong.empty());
    }

    /** {@return the same with the number of optimizer updates of the run} */
    public Known withTotalSteps(long totalSteps) {
        return new Known(worldSize, OptionalLong.of(totalSteps), hiddenSize);
    }

    /** {@return the same with the model's hidden size} */
    public Known withHiddenSize(long hiddenSize) {
        return new Known(worldSize, totalSteps, OptionalLong.of(hiddenSize));
    }
}
