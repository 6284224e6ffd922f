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
import java.util.Optional;

/** Reads the block {@code scheduler}; without one the learning rate stays the optimizer's. */
record ScheduleReader(Block block, Block params, Known known, OptimizerConfig optimizer) {
    private static final String DEEPSPEED_DEFAULT = "DeepSpeed's default";
    private static final String TOTAL = "total_num_steps";
    private static final String CYCLE_MOMENTUM = "cycle_momentum";
    private static final long WARMUP_STEPS = 1000;

    /** DeepSpeed's default of {@code WarmupDecayLR}; only {@code WarmupLR} falls back to the optimizer's rate. */
    private static final double DECAY_MAXIMUM = 1e-3;

    static LearningRateSchedule read(Block root, Known known, OptimizerConfig optimizer) {
        Block block = root.block("scheduler");
        if (block.keys().isEmpty()) {
            return new Constant(optimizer.learningRate());
        }
        return new ScheduleReader(block, block.block("params"), known, optimizer).read();
    }

    private double learningRate() {
        return optimizer.learningRate();
    }

    private LearningRateSchedule read() {
        var constant = new Constant(learningRate());
        String type = block.requiredText("type");
        return switch (type) {
            case "LRRangeTest" -> params.check(this::readRangeTest, constant);
            case "OneCycle" -> params.check(this::readCycle, constant);
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
            block.problem(
                    "type", "no such schedule", "use LRRangeTest, OneCycle, WarmupLR, WarmupDecayLR or WarmupCosineLR");
        }
    }

    private LrRangeTest readRangeTest() {
        return new LrRangeTest(
                number("lr_range_test_min_lr", 1e-3, Range.above(0)),
                params.integer("lr_range_test_step_size", 2000, 1, Long.MAX_VALUE),
                params.number("lr_range_test_step_rate", 1, Range.atLeast(0)),
                params.flag("lr_range_test_staircase", false));
    }

    private OneCycle readCycle() {
        var rate = new OneCycle.Cycled(
                requiredRate("cycle_min_lr"),
                requiredRate("cycle_max_lr"),
                params.number("decay_lr_rate", 0, Range.atLeast(0)));
        Optional<OneCycle.Cycled> momentum = cyclesMomentum() ? Optional.of(readMomentum()) : Optional.empty();
        long size = params.integer("cycle_first_step_size", 2000, 1, Long.MAX_VALUE);
        long stairs = params.integer("cycle_first_stair_count", 0, 0, Long.MAX_VALUE);
        return new OneCycle(
                rate,
                momentum,
                new OneCycle.Part(size, stairs),
                new OneCycle.Part(
                        params.integer("cycle_second_step_size", size, 0, Long.MAX_VALUE),
                        params.integer("cycle_second_stair_count", stairs, 0, Long.MAX_VALUE)),
                params.integer("decay_step_size", 0, 0, Long.MAX_VALUE));
    }

    /** By default where the optimizer has one. */
    private boolean cyclesMomentum() {
        if (!optimizer.hasMomentum()) {
            String reason = "optimizer " + optimizer.type() + " has no momentum";
            if (Boolean.TRUE.equals(params.given(CYCLE_MOMENTUM))) {
                params.problem(CYCLE_MOMENTUM, reason, "set it to false, or give the optimizer a momentum");
                return false;
            }
            if (!params.has(CYCLE_MOMENTUM)) {
                params.infer(CYCLE_MOMENTUM, false, reason);
            }
        }
        return params.flag(CYCLE_MOMENTUM, true);
    }

    private OneCycle.Cycled readMomentum() {
        return new OneCycle.Cycled(
                number("cycle_min_mom", 0.8, Range.halfOpen(0, 1)),
                number("cycle_max_mom", 0.9, Range.halfOpen(0, 1)),
                params.number("decay_mom_rate", 0, Range.atLeast(0)));
    }

    private double requiredRate(String key) {
        return isListed(key) ? 0 : params.requiredNumber(key, Range.atLeast(0));
    }

    private double number(String key, double fallback, Range range) {
        return isListed(key) ? fallback : params.number(key, fallback, range);
    }

    /** Reports a list: DeepSpeed takes one value for each parameter group there. */
    private boolean isListed(String key) {
        boolean listed = params.given(key) instanceof List<?>;
        if (listed) {
            params.problem(
                    key, "must be a number: one for all parameters, no list by parameter group", "give one number");
        }
        return listed;
    }

    private WarmupLr readWarmup() {
        return new WarmupLr(readMinimum(), readMaximum(learningRate()), readSteps(), readForm());
    }

    private WarmupDecayLr readDecay() {
        return new WarmupDecayLr(readMinimum(), readMaximum(DECAY_MAXIMUM), readSteps(), readForm(), readTotal());
    }

    private WarmupCosineLr readCosine() {
        return new WarmupCosineLr(
                learningRate(),
                params.number("warmup_min_ratio", 0, Range.closed(0, 1)),
                readSteps(),
                readForm(),
                readTotal(),
                params.number("cos_min_ratio", 1e-4, Range.closed(0, 1)));
    }

    private double readMinimum() {
        params.auto("warmup_min_lr", 0, DEEPSPEED_DEFAULT);
        return number("warmup_min_lr", 0, Range.atLeast(0));
    }

    private double readMaximum(double fallback) {
        params.auto("warmup_max_lr", learningRate(), "optimizer.params.lr");
        return number("warmup_max_lr", fallback, Range.atLeast(0));
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
