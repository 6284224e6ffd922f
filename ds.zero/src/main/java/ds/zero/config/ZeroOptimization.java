package ds.zero.config;

import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;

/**
 * The block {@code zero_optimization}.
 *
 * @param stage what is sharded
 * @param reduceBucketElements elements per reduction of gradients
 * @param allgatherBucketElements elements per gathering of updated parameters
 * @param overlapCommunication whether gradients and weights travel while others are computed with; without it each is waited for
 * @param subGroupElements how many elements at most are updated at once, where they come from files
 * @param offloadOptimizer where master weights and optimizer states lie between updates
 * @param offloadParameters where the weights' shards lie between their uses, at stage 3
 * @param stage3 what stage 3 keeps gathered; without effect at the others
 * @param plusPlus what travels in less bits, and what does not leave the host
 */
public record ZeroOptimization(
        ZeroStage stage,
        long reduceBucketElements,
        long allgatherBucketElements,
        boolean overlapCommunication,
        long subGroupElements,
        Offload offloadOptimizer,
        Offload offloadParameters,
        Stage3 stage3,
        ZeroPlusPlus plusPlus) {
    private static final String NAME = "zero_optimization";
    private static final long DEFAULT_BUCKET = 500_000_000;
    private static final long DEFAULT_SUB_GROUP = 1_000_000_000;

    /** Rejects buckets without elements. */
    public ZeroOptimization {
        requireBucket(".reduce_bucket_size", reduceBucketElements);
        requireBucket(".allgather_bucket_size", allgatherBucketElements);
    }

    private static void requireBucket(String key, long elements) {
        if (elements < 1) {
            throw new ConfigException(
                    NAME + key, elements, "must be a positive number of elements", DEFAULT_BUCKET + " is the default");
        }
    }

    static ZeroOptimization read(Block root, Known known) {
        Block block = root.block(NAME);
        ZeroStage stage = readStage(block);
        block.auto("sub_group_size", DEFAULT_SUB_GROUP, "DeepSpeed's default");
        Offload offloadOptimizer = Offload.readOptimizer(block.block("offload_optimizer"));
        Offload offloadParameters = Offload.readParameters(block.block("offload_param"));
        checkOffload(block, stage, offloadOptimizer, offloadParameters);
        return new ZeroOptimization(
                stage,
                readBucket(block, "reduce_bucket_size", known),
                readBucket(block, "allgather_bucket_size", known),
                block.flag("overlap_comm", true),
                block.integer("sub_group_size", DEFAULT_SUB_GROUP, 1, Long.MAX_VALUE),
                offloadOptimizer,
                offloadParameters,
                Stage3.read(block, stage, known),
                ZeroPlusPlus.read(root, block, stage, known));
    }

    /** {@return the same at another stage, with what is offloaded as far as that stage can} */
    public ZeroOptimization withStage(ZeroStage other) {
        return new ZeroOptimization(
                other,
                reduceBucketElements,
                allgatherBucketElements,
                overlapCommunication,
                subGroupElements,
                other == ZeroStage.DISABLED ? new Offload.None() : offloadOptimizer,
                other == ZeroStage.PARAMETERS ? offloadParameters : new Offload.None(),
                stage3,
                plusPlus.at(other));
    }

    /** {@return the same with masters and optimizer states elsewhere} */
    public ZeroOptimization withOptimizerStates(Offload other) {
        return new ZeroOptimization(
                stage,
                reduceBucketElements,
                allgatherBucketElements,
                overlapCommunication,
                subGroupElements,
                other,
                offloadParameters,
                stage3,
                plusPlus);
    }

    private static void checkOffload(Block block, ZeroStage stage, Offload optimizer, Offload parameters) {
        if (stage == ZeroStage.DISABLED && !(optimizer instanceof Offload.None)) {
            block.block("offload_optimizer")
                    .problem("device", "needs sharded optimizer states", "set zero_optimization.stage to 1, 2 or 3");
        }
        if (stage != ZeroStage.PARAMETERS && !(parameters instanceof Offload.None)) {
            block.block("offload_param")
                    .problem("device", "needs sharded parameters", "set zero_optimization.stage to 3");
        }
        if (parameters instanceof Offload.Nvme && !(optimizer instanceof Offload.Nvme)) {
            block.block("offload_param")
                    .problem(
                            "device",
                            "needs the optimizer's states in files, too",
                            "set zero_optimization.offload_optimizer.device to nvme");
        }
        if (parameters instanceof Offload.Nvme && optimizer instanceof Offload.Nvme && optimizer.ratio() < 1) {
            block.block("offload_optimizer")
                    .problem(
                            "ratio",
                            "must be 1 where weights are in files, too, to which only states in files are written",
                            "remove it, or set zero_optimization.offload_param.device to cpu or none");
        }
    }

    private static ZeroStage readStage(Block block) {
        return switch ((int) block.integer("stage", 0, 0, 3)) {
            case 1 -> ZeroStage.OPTIMIZER_STATES;
            case 2 -> ZeroStage.GRADIENTS;
            case 3 -> ZeroStage.PARAMETERS;
            default -> ZeroStage.DISABLED;
        };
    }

    private static long readBucket(Block block, String key, Known known) {
        known.inferFromHiddenSize(block, key, "hidden size %d squared", h -> Math.multiplyExact(h, h));
        return block.integer(key, DEFAULT_BUCKET, 1, Long.MAX_VALUE);
    }
}
