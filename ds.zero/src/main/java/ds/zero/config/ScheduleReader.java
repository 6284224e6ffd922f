package ds.zero.config;

import ds.zero.config.LearningRateSchedule.Constant;
import ds.zero.config.LearningRateSchedule.Warmup;
import ds.zero.config.LearningRateSchedule.WarmupCosineLr;
import ds.zero.config.LearningRateSchedule.WarmupDecayLr;
import ds.zero.config.LearningRateSchedule.WarmupLr;
import ds.zero.config.json.Block;
import ds.zero.config.json.Range;
import java.util.List;
import java.util.Locale;

/** Reads the block {@code scheduler}; without one the learning rate stays the optimizer's. */
record ScheduleReader(Block block, Block params, Known known, double learningRate) {
    private static final String DEEPSPEED_DEFAULT = "DeepSpeed's default";
    private static final String TOTAL = "total_num_steps";
    private static final long WARMUP_STEPS = 1000;

    /** DeepSpeed's default of {@code WarmupDecayLR}; only {@code WarmupLR} falls back to the optimizer's rate. */
    private static final double DECAY_MAXIMUM = 1e-3;

    static LearningRateSchedule read(Block root, Known known, double learningRate) {
        Block block = root.block("scheduler");
        if (block.keys().isEmpty()) {
            return new Constant(learningRate);
        }
        return new ScheduleReader(block, block.block("params"), known, learningRate).read();
    }

    private LearningRateSchedule read() {
        var constant = new Constant(learningRate);
        String type = block.requiredText("type");
        return switch (type) {
            case "WarmupLR" -> params.check(this::readWarmup, constant);
            case "WarmupDecayLR" -> params.check(this::readDecay, constant);
            case "WarmupCosineLR" -> params.check(this::readCosine, constant);
            default -> {
                reportType(type);
                params.remaining(); // whose they are is not known: no further complaints
                yield constant;
            }
        };
    }

    private void reportType(String type) {
        if (!type.isEmpty()) { // else missing or no text, and reported
            boolean deepSpeed = List.of("LRRangeTest", "OneCycle").contains(type);
            block.problem(
                    "type",
                    deepSpeed ? "DeepSpeed's schedule is not supported yet" : "no such schedule",
                    "use WarmupLR, WarmupDecayLR or WarmupCosineLR");
        }
    }

    private WarmupLr readWarmup() {
        return new WarmupLr(readMinimum(), readMaximum(learningRate), readSteps(), readForm());
    }

    private WarmupDecayLr readDecay() {
        return new WarmupDecayLr(readMinimum(), readMaximum(DECAY_MAXIMUM), readSteps(), readForm(), readTotal());
    }

    private WarmupCosineLr readCosine() {
        return new WarmupCosineLr(
                learningRate,
                params.number("warmup_min_ratio", 0, Range.closed(0, 1)),
                readSteps(),
                readForm(),
                readTotal(),
                params.number("cos_min_ratio", 1e-4, Range.closed(0, 1)));
    }

    private double readMinimum() {
        params.auto("warmup_min_lr", 0, DEEPSPEED_DEFAULT);
        return params.number("warmup_min_lr", 0, Range.atLeast(0));
    }

    private double readMaximum(double fallback) {
        params.auto("warmup_max_lr", learningRate, "optimizer.params.lr");
        return params.number("warmup_max_lr", fallback, Range.atLeast(0));
    }

    private long readSteps() {
        params.auto("warmup_num_steps", WARMUP_STEPS, DEEPSPEED_DEFAULT);
        return params.integer("warmup_num_steps", WARMUP_STEPS, 1, Long.MAX_VALUE);
    }

    private Warmup readForm() {
        String form = params.oneOf("warmup_type", "log", List.of("log", "linear"));
        return Warmup.valueOf(form.toUpperCase(Locale.ROOT));
    }

    private long readTotal() {
        if (params.isAuto(TOTAL) && known.totalSteps().isEmpty()) {
            params.problem(TOTAL, "the number of updates is not known here", "give it as a number");
            return WARMUP_STEPS;
        }
        if (params.isAuto(TOTAL) || (!params.has(TOTAL) && known.totalSteps().isPresent())) {
            params.infer(TOTAL, known.totalSteps().getAsLong(), "the updates of this run");
        }
        return params.requiredInteger(TOTAL, 1, Long.MAX_VALUE);
    }
}
