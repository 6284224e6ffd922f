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
    private static final double LEARNING_RATE = 1e-3;
    private static final long FREEZE_STEP = 100_000;

    /** DeepSpeed's own optimizers that have no counterpart here; any other unknown name is left to the providers. */
    private static final List<String> NOT_YET = List.of("onebitlamb", "muadam", "muadamw", "musgd");

    static OptimizerConfig read(Block root, DeepSpeedKeys keys) {
        Block block = root.block("optimizer");
        return new OptimizerReader(root, block, block.block("params"), keys).read();
    }

    private OptimizerConfig read() {
        String type = block.text("type", "AdamW");
        String name = type.toLowerCase(Locale.ROOT);
        if (OptimizerConfig.BUILT_IN.stream().anyMatch(type::equalsIgnoreCase)) {
            keys.applyToOptimizer(root);
        }
        if (NOT_YET.contains(name)) {
            block.problem(
                    "type",
                    "DeepSpeed's optimizer is not supported yet",
                    "use one of " + String.join(", ", OptimizerConfig.BUILT_IN));
        }
        return switch (name) {
            case "adam", "adamw" -> readAdam(type);
            case "lion" -> readLion(type);
            case "adagrad" -> readAdagrad(type);
            case "sgd" -> readSgd(type);
            case "lamb" -> readLamb(type);
            case "muon" -> readMuon(type);
            case "onebitadam" -> readOneBitAdam(type);
            case "zerooneadam" -> readZeroOneAdam(type);
            default -> readProvided(type);
        };
    }

    private OptimizerConfig readAdam(String type) {
        boolean decoupled = params.flag("adam_w_mode", true);
        if (!decoupled && type.equalsIgnoreCase("AdamW")) {
            params.problem(
                    "adam_w_mode", "AdamW always decouples weight decay", "use optimizer.type Adam, or remove the key");
        }
        return readAdam(type, decoupled);
    }

    private OptimizerConfig.Adam readAdam(String type, boolean decoupled) {
        List<Double> betas = readBetas(BETAS);
        return new OptimizerConfig.Adam(
                type,
                readLearningRate(LEARNING_RATE),
                betas.get(0),
                betas.get(1),
                readEpsilon(1e-8),
                readWeightDecay(),
                params.flag("bias_correction", true),
                decoupled);
    }

    private OptimizerConfig readLion(String type) {
        List<Double> betas = readBetas(BETAS);
        return new OptimizerConfig.Lion(
                type, readLearningRate(LEARNING_RATE), betas.get(0), betas.get(1), readWeightDecay());
    }

    private OptimizerConfig readAdagrad(String type) {
        return new OptimizerConfig.Adagrad(type, readLearningRate(1e-2), readEpsilon(1e-10), readWeightDecay());
    }

    private OptimizerConfig readSgd(String type) {
        double learningRate = readLearningRate(LEARNING_RATE);
        double momentum = params.number("momentum", 0, Range.halfOpen(0, 1));
        double dampening = params.number("dampening", 0, Range.closed(0, 1));
        boolean nesterov = params.flag("nesterov", false);
        double decay = readWeightDecay();
        return params.check(
                () -> new OptimizerConfig.Sgd(type, learningRate, momentum, dampening, nesterov, decay),
                new OptimizerConfig.Sgd(type, learningRate, momentum, dampening, false, decay));
    }

    private OptimizerConfig readLamb(String type) {
        List<Double> betas = readBetas(BETAS);
        var standIn = new OptimizerConfig.Lamb(
                type,
                readLearningRate(LEARNING_RATE),
                betas.get(0),
                betas.get(1),
                readEpsilon(1e-8),
                params.flag("eps_inside_sqrt", false),
                readWeightDecay(),
                params.flag("bias_correction", true),
                0.01,
                10);
        double minimum = params.number("min_coeff", 0.01, Range.atLeast(0));
        double maximum = params.number("max_coeff", 10, Range.above(0));
        return params.check(() -> standIn.between(minimum, maximum), standIn);
    }

    /** {@code lr} is the rate of both parts, unless {@code muon_lr} or {@code adam_lr} say otherwise. */
    private OptimizerConfig readMuon(String type) {
        params.auto("lr", 0.02, DEEPSPEED_DEFAULT);
        boolean common = params.has("lr");
        double learningRate = params.number("lr", 0.02, Range.above(0));
        List<Double> betas = readBetas(List.of(0.9, 0.95));
        var others = new OptimizerConfig.Adam(
                type,
                params.number("adam_lr", common ? learningRate : 3e-4, Range.atLeast(0)),
                betas.get(0),
                betas.get(1),
                readEpsilon(1e-10),
                0,
                true,
                true);
        return new OptimizerConfig.Muon(
                type,
                params.number("muon_lr", learningRate, Range.above(0)),
                params.number("momentum", 0.95, Range.halfOpen(0, 1)),
                readWeightDecay(),
                others);
    }

    private OptimizerConfig readOneBitAdam(String type) {
        return new OptimizerConfig.OneBitAdam(
                type, readAdam(type, true), params.integer("freeze_step", FREEZE_STEP, 1, Long.MAX_VALUE));
    }

    private OptimizerConfig readZeroOneAdam(String type) {
        return new OptimizerConfig.ZeroOneAdam(
                type,
                readAdam(type, true),
                params.integer("var_freeze_step", FREEZE_STEP, 1, Long.MAX_VALUE),
                params.integer("var_update_scaler", 16, 1, Long.MAX_VALUE),
                params.integer("local_step_scaler", 32_678, 1, Long.MAX_VALUE),
                params.integer("local_step_clipper", 16, 1, Long.MAX_VALUE));
    }

    private OptimizerConfig readProvided(String type) {
        double learningRate = readLearningRate(LEARNING_RATE);
        double weightDecay = readWeightDecay();
        Map<String, Object> options = params.remaining();
        options.forEach((key, value) -> {
            if ("auto".equals(value)) {
                params.problem(key, "\"auto\" cannot be resolved for an option of " + type, "give a value");
            }
        });
        return new OptimizerConfig.Provided(type, learningRate, weightDecay, options);
    }

    private double readLearningRate(double fallback) {
        params.auto("lr", fallback, DEEPSPEED_DEFAULT);
        return params.number("lr", fallback, Range.atLeast(0));
    }

    private List<Double> readBetas(List<Double> fallback) {
        params.auto("betas", fallback, DEEPSPEED_DEFAULT);
        return params.numbers("betas", fallback, Range.halfOpen(0, 1));
    }

    private double readEpsilon(double fallback) {
        params.auto("eps", fallback, DEEPSPEED_DEFAULT);
        return params.number("eps", fallback, Range.above(0));
    }

    private double readWeightDecay() {
        params.auto("weight_decay", 0, DEEPSPEED_DEFAULT);
        return params.number("weight_decay", 0, Range.atLeast(0));
    }
}
