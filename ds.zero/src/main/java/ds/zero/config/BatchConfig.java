package ds.zero.config;

import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;
import java.util.OptionalLong;

/**
 * The batch sizes, in sequences: {@code trainBatchSize = microBatchSize * gradientAccumulationSteps * worldSize}.
 *
 * @param trainBatchSize sequences per optimizer step, over all ranks
 * @param microBatchSize sequences per forward pass of one rank
 * @param gradientAccumulationSteps forward and backward passes of a rank per optimizer step
 * @param worldSize ranks that share the batch: all of them, divided by those that share a model
 */
public record BatchConfig(long trainBatchSize, int microBatchSize, int gradientAccumulationSteps, int worldSize) {
    private static final String TRAIN = "train_batch_size";
    private static final String MICRO = "train_micro_batch_size_per_gpu";
    private static final String STEPS = "gradient_accumulation_steps";

    /** Rejects counts below 1 and a product that is not {@code trainBatchSize}. */
    public BatchConfig {
        requirePositive(TRAIN, trainBatchSize);
        requirePositive(MICRO, microBatchSize);
        requirePositive(STEPS, gradientAccumulationSteps);
        requirePositive("world size", worldSize);
        long product = product(product(microBatchSize, gradientAccumulationSteps), worldSize);
        if (trainBatchSize != product) {
            throw new ConfigException(
                    TRAIN,
                    trainBatchSize,
                    "is not " + MICRO + " * " + STEPS + " * world size = " + microBatchSize + " * "
                            + gradientAccumulationSteps + " * " + worldSize + " = " + product,
                    "set it to " + product + ", or remove one of the three keys");
        }
    }

    private static void requirePositive(String key, long value) {
        if (value < 1) {
            throw new ConfigException(key, value, "must be at least 1", "");
        }
    }

    /** Saturates: no batch is that large, and {@code Long.MAX_VALUE} equals none that can be written as a count. */
    private static long product(long a, long b) {
        return Math.multiplyHigh(a, b) == 0 && a * b >= 0 ? a * b : Long.MAX_VALUE;
    }

    /** Completes what is missing or {@code "auto"}: any two give the third; one batch size alone means one accumulation step. */
    static BatchConfig read(Block root, int worldSize) {
        OptionalLong train = readCount(root, TRAIN);
        OptionalLong micro = readCount(root, MICRO);
        OptionalLong steps = readCount(root, STEPS);
        var none = new BatchConfig(worldSize, 1, 1, worldSize);
        if (isWrong(root, TRAIN, train) || isWrong(root, MICRO, micro) || isWrong(root, STEPS, steps)) {
            return none; // reported already; what would be inferred from the rest would only mislead
        }
        if (train.isEmpty() && micro.isEmpty()) {
            root.problem(TRAIN, "neither it nor " + MICRO + " is given", "give at least one of them as a number");
            return none;
        }
        return complete(root, new Given(train, micro, steps, worldSize), none);
    }

    /** The sizes that are written, of which at least one is a batch size. */
    private record Given(OptionalLong train, OptionalLong micro, OptionalLong steps, int worldSize) {}

    private static BatchConfig complete(Block root, Given given, BatchConfig none) {
        int world = given.worldSize();
        OptionalLong train = given.train();
        OptionalLong micro = given.micro();
        long k = given.steps()
                .orElseGet(() -> train.isPresent() && micro.isPresent()
                        ? quotient(root, STEPS, train.getAsLong(), new Factor(MICRO, micro.getAsLong(), world))
                        : infer(root, STEPS, 1, "only one of the batch sizes is given"));
        long b = micro.orElseGet(() -> quotient(root, MICRO, train.orElseThrow(), new Factor(STEPS, k, world)));
        if (k == 0 || b == 0) {
            return none; // not divisible, and reported
        }
        long all = train.orElseGet(() ->
                infer(root, TRAIN, product(product(b, k), world), MICRO + " * " + STEPS + " * world size " + world));
        return root.check(() -> new BatchConfig(all, Math.toIntExact(b), Math.toIntExact(k), world), none);
    }

    private static OptionalLong readCount(Block root, String key) {
        if (root.isAuto(key)) {
            root.drop(key);
        }
        return root.optionalInteger(key, 1, Integer.MAX_VALUE);
    }

    private static boolean isWrong(Block root, String key, OptionalLong value) {
        return root.has(key) && value.isEmpty();
    }

    private static long infer(Block root, String key, long value, String rule) {
        root.infer(key, value, rule);
        root.accept(key);
        return value;
    }

    /** The factor of the train batch size that is known, together with the world size. */
    private record Factor(String key, long value, int worldSize) {
        long product() {
            return value * worldSize; // both are ints
        }
    }

    private static long quotient(Block root, String key, long train, Factor by) {
        if (train % by.product() == 0) {
            return infer(
                    root,
                    key,
                    train / by.product(),
                    TRAIN + " / (" + by.key() + " * world size " + by.worldSize() + ")");
        }
        long below = train - train % by.product();
        long above = below + by.product();
        root.problem(
                TRAIN,
                "is not divisible by " + by.key() + " * world size = " + by.value() + " * " + by.worldSize() + " = "
                        + by.product() + ", so there is no whole " + key,
                "use " + (below == 0 ? "" : below + " or ") + above);
        return 0;
    }
}
