package ds.zero.config;

import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.LongUnaryOperator;

/**
 * What stage 3 keeps gathered, in elements: the keys {@code zero_optimization.stage3_*}. Weights are gathered by whole units,
 * the layers of a model, so that is what the limits apply to.
 *
 * @param prefetchElements how much may be under way ahead of the layer that needs it
 * @param maxLiveElements how much may be gathered at once, unless one layer alone needs more
 * @param maxReuseDistanceElements weights stay if they are needed again before the layers between use this many
 * @param persistenceElements units of at most so many elements stay gathered
 * @param modelPersistenceElements how much may stay in all
 */
public record Stage3(
        long prefetchElements,
        long maxLiveElements,
        long maxReuseDistanceElements,
        long persistenceElements,
        long modelPersistenceElements) {
    /** DeepSpeed's values. */
    public static final Stage3 DEFAULT = new Stage3(50_000_000, 1_000_000_000, 1_000_000_000, 100_000, Long.MAX_VALUE);

    /** The least memory: nothing is fetched ahead, stays for later, or is persistent. */
    public static final Stage3 LEAST = new Stage3(0, 0, 0, 0, 0);

    private static final String PREFIX = "stage3_";
    private static final List<String> KEYS = List.of(
            "prefetch_bucket_size",
            "max_live_parameters",
            "max_reuse_distance",
            "param_persistence_threshold",
            "model_persistence_threshold");

    /** Rejects negative sizes. */
    public Stage3 {
        require("prefetch_bucket_size", prefetchElements);
        require("max_live_parameters", maxLiveElements);
        require("max_reuse_distance", maxReuseDistanceElements);
        require("param_persistence_threshold", persistenceElements);
        require("model_persistence_threshold", modelPersistenceElements);
    }

    private static void require(String key, long elements) {
        if (elements < 0) {
            throw new ConfigException(
                    "zero_optimization." + PREFIX + key, elements, "must not be negative", "0 switches it off");
        }
    }

    static Stage3 read(Block block, ZeroStage stage, OptionalLong hiddenSize) {
        if (stage != ZeroStage.PARAMETERS) {
            block.auto(PREFIX + "prefetch_bucket_size", DEFAULT.prefetchElements, "DeepSpeed's default");
            block.auto(PREFIX + "param_persistence_threshold", DEFAULT.persistenceElements, "DeepSpeed's default");
        }
        Stage3 read = read(block, hiddenSize);
        if (stage != ZeroStage.PARAMETERS) {
            KEYS.forEach(key -> block.acceptWithoutEffect(PREFIX + key, "concerns stage 3"));
        }
        return read;
    }

    private static Stage3 read(Block block, OptionalLong hiddenSize) {
        return new Stage3(
                size(block, "prefetch_bucket_size", DEFAULT.prefetchElements, hiddenSize, h -> (long) (0.9 * h * h)),
                size(block, "max_live_parameters", DEFAULT.maxLiveElements),
                size(block, "max_reuse_distance", DEFAULT.maxReuseDistanceElements),
                size(block, "param_persistence_threshold", DEFAULT.persistenceElements, hiddenSize, h -> 10 * h),
                size(block, "model_persistence_threshold", DEFAULT.modelPersistenceElements));
    }

    private static long size(Block block, String key, long fallback) {
        return block.integer(PREFIX + key, fallback, 0, Long.MAX_VALUE);
    }

    /** Reads a size that {@code "auto"} derives from the hidden size, as Hugging Face does. */
    private static long size(Block block, String key, long fallback, OptionalLong hiddenSize, LongUnaryOperator rule) {
        if (block.isAuto(PREFIX + key)) {
            if (hiddenSize.isPresent()) {
                long h = hiddenSize.getAsLong();
                block.infer(PREFIX + key, rule.applyAsLong(h), "from hidden size " + h);
            } else {
                block.problem(
                        PREFIX + key,
                        "depends on the model's hidden size, which is not known here",
                        "give a number of elements");
                block.drop(PREFIX + key);
            }
        }
        return size(block, key, fallback);
    }
}
