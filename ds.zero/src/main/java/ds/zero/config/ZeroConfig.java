package ds.zero.config;

import ds.api.DType;
import ds.zero.config.json.Block;
import ds.zero.config.json.ConfigException;
import ds.zero.config.json.ConfigReader;
import ds.zero.config.json.Range;
import ds.zero.config.json.Resolved;
import java.nio.file.Path;
import java.util.List;

/**
 * How a run trains: DeepSpeed's keys and the block {@code "ds"}, resolved. What a configuration leaves open has DeepSpeed's
 * default; without an {@code optimizer} block that is AdamW.
 *
 * @param batch the batch sizes
 * @param tensorParallel over how many ranks layers are split
 * @param optimizer which optimizer, and its parameters
 * @param schedule the learning rate of every update
 * @param precision the element type of weights and activations
 * @param gradients the element types in which gradients are kept and sent
 * @param gradientClipping the largest global norm that gradients keep; 0 for no clipping
 * @param zero what is sharded, and the sizes of buckets
 * @param checkpointing which activations are kept, and which recomputed
 * @param report what is told about the progress
 * @param runtime backend, communicator, seed, deadlines
 */
public record ZeroConfig(
        BatchConfig batch,
        TensorParallel tensorParallel,
        OptimizerConfig optimizer,
        LearningRateSchedule schedule,
        Precision precision,
        GradientTypes gradients,
        double gradientClipping,
        ZeroOptimization zero,
        ActivationCheckpointing checkpointing,
        ReportConfig report,
        RuntimeConfig runtime) {
    private static final String CLIPPING = "gradient_clipping";

    /** Rejects a negative clipping norm. */
    public ZeroConfig {
        if (!Range.atLeast(0).contains(gradientClipping)) {
            throw new ConfigException(
                    CLIPPING, gradientClipping, "must be " + Range.atLeast(0), "0 switches clipping off");
        }
    }

    /**
     * {@return the configuration in a file, with the source of every value}
     *
     * @param file JSON, in which comments and trailing commas may stand
     * @param known what the caller knows beside it
     * @throws ConfigException listing everything that is wrong
     */
    public static Resolved<ZeroConfig> parse(Path file, Known known) {
        return ConfigReader.read(file, root -> read(root, known));
    }

    /**
     * {@return the configuration in a text, with the source of every value}
     *
     * @param json JSON, in which comments and trailing commas may stand
     * @param known what the caller knows beside it
     * @throws ConfigException listing everything that is wrong
     */
    public static Resolved<ZeroConfig> parse(String json, Known known) {
        return ConfigReader.read(json, root -> read(root, known));
    }

    /**
     * {@return this part of a configuration in which the caller reads more: its own blocks under {@code "ds"}}
     *
     * @param root the root block, from {@link ConfigReader}
     * @param known what the caller knows beside it
     */
    public static ZeroConfig read(Block root, Known known) {
        DeepSpeedKeys keys = DeepSpeedKeys.load();
        root.rename("bfloat16", "bf16");
        keys.applyToRoot(root);
        OptimizerConfig optimizer = OptimizerReader.read(root, keys);
        Precision precision = Precision.read(root);
        TensorParallel tensorParallel = TensorParallel.read(root, known, optimizer);
        int dataParallel = known.worldSize() / tensorParallel.size();
        readAgreements(root, precision, dataParallel);
        root.auto(CLIPPING, 1.0, "DeepSpeed's default");
        ZeroConfig config = new ZeroConfig(
                BatchConfig.read(root, dataParallel),
                tensorParallel,
                optimizer,
                ScheduleReader.read(root, known, optimizer),
                precision,
                GradientTypes.read(root, precision.weights()),
                root.number(CLIPPING, 1.0, Range.atLeast(0)),
                ZeroOptimization.read(root, known),
                ActivationCheckpointing.read(root),
                ReportConfig.read(root),
                RuntimeConfig.read(root));
        checkSplit(root, precision.states(), config.zero);
        checkMomenta(root, config);
        return config;
    }

    /** {@return the stages at which this training can run, whatever stage is configured} */
    public List<ZeroStage> stages() {
        return optimizer.exchangesMomenta() ? List.of(ZeroStage.DISABLED) : List.of(ZeroStage.values());
    }

    /** {@return the same with another learning rate for every update} */
    public ZeroConfig withSchedule(LearningRateSchedule other) {
        return new ZeroConfig(
                batch,
                tensorParallel,
                optimizer,
                other,
                precision,
                gradients,
                gradientClipping,
                zero,
                checkpointing,
                report,
                runtime);
    }

    /** {@return the same with other sharding, recomputation and batch sizes: what decides how much memory a rank needs} */
    public ZeroConfig withMemorySettings(
            ZeroOptimization otherZero, ActivationCheckpointing otherCheckpointing, BatchConfig otherBatch) {
        return new ZeroConfig(
                otherBatch,
                tensorParallel,
                optimizer,
                schedule,
                precision,
                gradients,
                gradientClipping,
                otherZero,
                otherCheckpointing,
                report,
                runtime);
    }

    /** {@return the same training by one rank, a sequence at a time, that keeps everything in its memory} */
    public ZeroConfig onOneRank() {
        return new ZeroConfig(
                new BatchConfig(1, 1, 1, 1),
                TensorParallel.NONE,
                optimizer,
                schedule,
                precision,
                gradients,
                gradientClipping,
                zero.withStage(ZeroStage.DISABLED),
                checkpointing,
                report,
                runtime);
    }

    /** {@return the same with masters and optimizer states kept in another precision; of a model that computes in BF16} */
    public ZeroConfig withStates(StatePrecision states) {
        return new ZeroConfig(
                batch,
                tensorParallel,
                optimizer,
                schedule,
                precision.withStates(states),
                gradients,
                gradientClipping,
                zero,
                checkpointing,
                report,
                runtime);
    }

    /** Split masters are made of the weights, tile by tile; in a file of their own these are not at hand. */
    private static void checkSplit(Block root, StatePrecision states, ZeroOptimization zero) {
        if (states.masterWeights() == StatePrecision.MasterWeights.SPLIT
                && zero.offloadParameters() instanceof Offload.Nvme) {
            root.block(RuntimeConfig.BLOCK)
                    .block("states")
                    .problem(
                            "master_weights",
                            "needs the weights in memory, and zero_optimization.offload_param.device is nvme",
                            "choose \"fp32\" or \"bf16\", or remove offload_param");
        }
    }

    /** Where weights or gradients are sharded they travel in full, and there is nothing left to compress. */
    private static void checkMomenta(Block root, ZeroConfig config) {
        if (!config.optimizer.exchangesMomenta()) {
            return;
        }
        String type = "optimizer.type = " + config.optimizer.type();
        if (config.zero.stage() != ZeroStage.DISABLED) {
            root.block("zero_optimization")
                    .problem(
                            "stage",
                            "must be 0 for " + type
                                    + ": each rank needs all momenta and updates all weights, so that only"
                                    + " signs of momenta travel; sharded weights would have to be gathered in full",
                            "set it to 0, or use AdamW");
        }
        if (config.optimizer instanceof OptimizerConfig.ZeroOneAdam
                && config.precision.states().masterWeights() != StatePrecision.MasterWeights.FP32) {
            root.block(RuntimeConfig.BLOCK)
                    .block("states")
                    .problem(
                            "master_weights",
                            "must be \"fp32\" for " + type + ": masters rest while ranks take steps of their own",
                            "remove the key, or use AdamW");
        }
        if (config.precision.states().optimizerStates() != DType.F32) {
            root.block(RuntimeConfig.BLOCK)
                    .block("states")
                    .problem(
                            "optimizer_states",
                            "must be \"fp32\" for " + type + ": signs are taken of F32 momenta",
                            "remove the key, or use AdamW");
        }
    }

    /** Keys that select nothing, but may say what is so anyway. */
    private static void readAgreements(Block root, Precision precision, int dataParallel) {
        String dtype = Precision.nameOf(precision.weights());
        Block types = root.block("data_types");
        types.optionalText("param_dtype")
                .filter(given -> !given.equals(dtype))
                .ifPresent(given -> types.problem(
                        "param_dtype",
                        "the parameters are " + dtype + " by bf16.enabled and fp16.enabled",
                        "make the two agree, or remove this key"));
        root.optionalInteger("data_parallel_size", 1, Integer.MAX_VALUE).ifPresent(size -> {
            if (size != dataParallel) {
                root.problem(
                        "data_parallel_size",
                        "the ranks are " + dataParallel + " times data parallel",
                        "remove the key");
            }
        });
    }
}
