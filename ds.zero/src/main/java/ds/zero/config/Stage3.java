package ds.zero.config;

import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;
import java.util.List;

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

    /** {@return the same, with nothing fetched ahead} */
    public Stage3 withoutPrefetch() {
        return new Stage3(0, maxLiveElements, maxReuseDistanceElements, persistenceElements, modelPersistenceElements);
    }

    private static void require(String key, long elements) {
        if (elements < 0) {
            throw new ConfigException(
                    "zero_optimization." + PREFIX + key, elements, "must not be negative", "0 switches it off");
        }
    }

    static Stage3 read(Block block, ZeroStage stage, Known known) {
        if (stage != ZeroStage.PARAMETERS) {
            block.auto(PREFIX + "prefetch_bucket_size", DEFAULT.prefetchElements, "DeepSpeed's default");
            block.auto(PREFIX + "param_persistence_threshold", DEFAULT.persistenceElements, "DeepSpeed's default");
        }
        Stage3 read = read(block, known);
        if (stage != ZeroStage.PARAMETERS) {
            KEYS.forEach(key -> block.acceptWithoutEffect(PREFIX + key, "concerns stage 3"));
        }
        return read;
    }

    private static Stage3 read(Block block, Known known) {
        String how = "from hidden size %d";
        known.inferFromHiddenSize(block, PREFIX + "prefetch_bucket_size", how, h -> (long) (0.9 * h * h));
        known.inferFromHiddenSize(block, PREFIX + "param_persistence_threshold", how, h -> 10 * h);
        return new Stage3(
                size(block, "prefetch_bucket_size", DEFAULT.prefetchElements),
                size(block, "max_live_parameters", DEFAULT.maxLiveElements),
                size(block, "max_reuse_distance", DEFAULT.maxReuseDistanceElements),
                size(block, "param_persistence_threshold", DEFAULT.persistenceElements),
                size(block, "model_persistence_threshold", DEFAULT.modelPersistenceElements));
    }

    private static long size(Block block, String key, long fallback) {
        return block.integer(PREFIX + key, fallback, 0, Long.MAX_VALUE);
    }
}
