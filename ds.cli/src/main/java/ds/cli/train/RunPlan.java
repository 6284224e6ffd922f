package ds.cli.train;

import ds.api.OutOfDeviceMemoryException;
import ds.data.Preparation;
import ds.data.TokenFile;
import ds.data.Tokenizer;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.zero.config.ByteSize;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroStage;
import ds.zero.plan.Alternatives;
import ds.zero.plan.FewestRanks;
import ds.zero.plan.MemoryPlan;
import ds.zero.plan.MemoryPlan.Checkpoints;
import ds.zero.plan.RankMemory;
import ds.zero.plan.StatePlaces;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What memory a run needs, before it begins.
 *
 * @param shape of the model
 * @param zero how it is trained
 * @param sequenceLength T
 * @param checkpoints what is saved on the way
 */
public record RunPlan(GptConfig shape, ZeroConfig zero, int sequenceLength, Checkpoints checkpoints) {
    /** {@return the plan's subject: the run of a configuration} Reads no text, and of token files their header alone. */
    public static RunPlan of(RunConfig config) {
        GptConfig shape = config.model().shape().complete(vocabulary(config.data()));
        return new RunPlan(shape, config.zero(), config.loop().sequenceLength(shape), checkpoints(config.checkpoint()));
    }

    private static Checkpoints checkpoints(RunCheckpoints.Settings settings) {
        if (settings.every() == 0) {
            return Checkpoints.NONE;
        }
        return settings.asynchronous() ? Checkpoints.ASYNCHRONOUS : Checkpoints.SYNCHRONOUS;
    }

    private static long vocabulary(DataSettings data) {
        if (data.tokens().isEmpty() || !data.text().isEmpty()) {
            return Tokenizer.named(data.tokenizer()).vocabularySize();
        }
        try (TokenFile file =
                TokenFile.open(data.tokens().orElseThrow().resolve(Preparation.TRAIN), TokenFile.Check.HEADER)) {
            return file.vocabularySize();
        }
    }

    /** {@return the plan of the run as it is configured} */
    public MemoryPlan plan() {
        return plan(zero);
    }

    private MemoryPlan plan(ZeroConfig config) {
        int sequences = config.batch().microBatchSize();
        return MemoryPlan.of(
                tensor -> new Gpt(shape, tensor).layers(),
                config,
                new MemoryPlan.Loop(
                        backend ->
                                new TokenBatches(backend, sequences, sequenceLength).part(0, sequences, sequenceLength),
                        checkpoints));
    }

    /** {@return other settings for the same training} */
    public Alternatives alternatives() {
        return new Alternatives(zero, this::plan);
    }

    /** {@return on how many ranks the same training fits, each doing as much as is configured} */
    public FewestRanks fewestRanks() {
        return new FewestRanks(zero, this::plan, rankMemory());
    }

    /** {@return where states could be kept so that the run fits; empty where not both memories are limited, or there is only one} */
    public Optional<StatePlaces> statePlaces(MemoryPlan plan) {
        return plan.onDevice().isPresent()
                        && deviceLimitBytes().isPresent()
                        && rankMemory().limitBytes().isPresent()
                ? Optional.of(
                        new StatePlaces(zero, this::plan, deviceLimitBytes().getAsLong(), rankMemory()))
                : Optional.empty();
    }

    /** {@return what a rank of the run may take} */
    public RankMemory rankMemory() {
        return RankMemory.of(zero.runtime());
    }

    /** {@return what the buffers on a device of its own may take, where {@code ds.backend_options} says it} */
    public OptionalLong deviceLimitBytes() {
        return zero.runtime().backendLimitBytes();
    }

    /** {@return whether what a plan puts on a device of its own is within its limit} */
    public boolean fitsDevice(MemoryPlan plan) {
        return deviceLimitBytes().isEmpty()
                || plan.onDevice()
                        .map(device -> device.memory().peakBytes()
                                <= deviceLimitBytes().getAsLong())
                        .orElse(true);
    }

    /**
     * Refuses a run that needs more than it may take.
     *
     * @return the plan of a run that fits
     * @throws OutOfDeviceMemoryException with the numbers, and the settings that fit
     */
    public MemoryPlan requireFit() {
        MemoryPlan plan = plan();
        if (!fitsDevice(plan)) {
            throw new OutOfDeviceMemoryException("ds.backend_options.memory_limit_bytes = "
                    + ByteSize.inBinary(deviceLimitBytes().orElseThrow()) + ": a rank would need "
                    + ByteSize.inBinary(plan.onDevice().orElseThrow().memory().peakBytes())
                    + " on its device; `ds plan` shows what takes it, and settings that fit");
        }
        if (!rankMemory().fits(plan.peakBytes())) {
            throw new OutOfDeviceMemoryException(refusal(plan));
        }
        return plan;
    }

    private String refusal(MemoryPlan plan) {
        StringBuilder message = new StringBuilder("ds.memory_limit = "
                + ByteSize.inBinary(rankMemory().limitBytes().orElseThrow())
                + ": a rank would need " + ByteSize.inBinary(RankMemory.needed(plan.peakBytes())) + ": "
                + ByteSize.inBinary(plan.peakBytes()) + " of tensors at the peak and "
                + ByteSize.inBinary(RankMemory.RESERVED_BYTES) + " for the Java machine and native libraries");
        List<String> fitting = fitting();
        if (fitting.isEmpty()) {
            message.append("; no stage, recomputation, smaller micro-batch or number of ranks helps: use shorter"
                    + " sequences, a smaller model, or raise the limit");
        } else {
            message.append("; these settings fit:");
            fitting.forEach(line -> message.append("\n  ").append(line));
        }
        return message.toString();
    }

    private List<String> fitting() {
        List<String> lines = new ArrayList<>();
        if (checkpoints == Checkpoints.ASYNCHRONOUS) {
            long waiting = new RunPlan(shape, zero, sequenceLength, Checkpoints.SYNCHRONOUS)
                    .plan()
                    .peakBytes();
            if (rankMemory().fits(waiting)) {
                lines.add("ds.checkpoint.asynchronous false: " + ByteSize.inBinary(RankMemory.needed(waiting)));
            }
        }
        alternatives().fitting(rankMemory()).forEach(option -> lines.add(describe(option)));
        moreRanks().ifPresent(option -> lines.add(describe(option)));
        return lines;
    }

    /** As configured, or at stage 3 if more ranks alone do not help. */
    private Optional<Alternatives.Option> moreRanks() {
        return fewestRanks().at(zero.zero().stage()).or(() -> fewestRanks().at(ZeroStage.PARAMETERS));
    }

    /** {@return what an option changes, and what it needs} */
    private String describe(Alternatives.Option option) {
        StringBuilder text = new StringBuilder();
        if (option.batch().worldSize() != zero.batch().worldSize()) {
            text.append(option.ranks())
                    .append(" ranks with train_batch_size ")
                    .append(option.batch().trainBatchSize())
                    .append(", ");
        }
        if (option.stage() != zero.zero().stage()) {
            text.append("zero_optimization.stage ")
                    .append(option.stage().number())
                    .append(", ");
        }
        if (!option.config().checkpointing().equals(zero.checkpointing())) {
            text.append("ds.checkpoint_every 1, ");
        }
        if (option.batch().microBatchSize() != zero.batch().microBatchSize()) {
            text.append("train_micro_batch_size_per_gpu ")
                    .append(option.batch().microBatchSize())
                    .append(" and gradient_accumulation_steps ")
                    .append(option.batch().gradientAccumulationSteps())
                    .append(", ");
        }
        String need = ByteSize.inBinary(RankMemory.needed(option.plan().peakBytes()));
        return text.replace(text.length() - 2, text.length(), ": ").append(need).toString();
    }
}
