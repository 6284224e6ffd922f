package ds.zero.config;

import ds.zero.config.json.Block;
import ds.zero.config.json.Range;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Reads the block {@code optimizer}. */
record OptimizerReader(Block root, Block block, Block params, DeepSpeedKeys keys) {
    private static final String DEEPSPEED_DEFAULT = "DeepSpeed's default";
    private static final List<Double> BETAS = List.of(0.9, 0.999);

    /** DeepSpeed's own optimizers that have no counterpart here; any other unknown name is left to the providers. */
    private static final List<String> NOT_YET = List.of(
            "lamb", "lion", "adagrad", "muon", "onebitadam", "zerooneadam", "onebitlamb", "muadam", "muadamw", "musgd");

    static OptimizerConfig read(Block root, DeepSpeedKeys keys) {
        Block block = root.block("optimizer");
        return new OptimizerReader(root, block, block.block("params"), keys).read();
    }

    private OptimizerConfig read() {
        String type = block.text("type", "AdamW");
        String name = type.toLowerCase(Locale.ROOT);
        boolean adam = name.equals("adam") || name.equals("adamw");
        if (NOT_YET.contains(name)) {
            block.problem("type", "DeepSpeed's optimizer is not supported yet", "use Adam or AdamW");
        }
        return adam ? readAdam(type) : readProvided(type);
    }

    private OptimizerConfig readAdam(String type) {
        keys.applyToAdam(root);
        params.auto("betas", BETAS, DEEPSPEED_DEFAULT);
        params.auto("eps", 1e-8, DEEPSPEED_DEFAULT);
        List<Double> betas = params.numbers("betas", BETAS, Range.halfOpen(0, 1));
        boolean decoupled = params.flag("adam_w_mode", true);
        if (!decoupled && type.equalsIgnoreCase("AdamW")) {
            params.problem(
                    "adam_w_mode", "AdamW always decouples weight decay", "use optimizer.type Adam, or remove the key");
        }
        return new OptimizerConfig.Adam(
                type,
                readLearningRate(),
                betas.get(0),
                betas.get(1),
                params.number("eps", 1e-8, Range.above(0)),
                readWeightDecay(),
                params.flag("bias_correction", true),
                decoupled);
    }

    private OptimizerConfig readProvided(String type) {
        double learningRate = readLearningRate();
        double weightDecay = readWeightDecay();
        Map<String, Object> options = params.remaining();
        options.forEach((key, value) -> {
            if ("auto".equals(value)) {
                params.problem(key, "\"auto\" cannot be resolved for an option of " + type, "give a value");
            }
        });
        return new OptimizerConfig.Provided(type, learningRate, weightDecay, options);
    }

    private double readLearningRate() {
        params.auto("lr", 1e-3, DEEPSPEED_DEFAULT);
        return params.number("lr", 1e-3, Range.atLeast(0));
    }

    private double readWeightDecay() {
        params.auto("weight_decay", 0, DEEPSPEED_DEFAULT);
        return params.number("weight_decay", 0, Range.atLeast(0));
    }
}
