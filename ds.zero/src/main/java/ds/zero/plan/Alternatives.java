package ds.zero.plan;

import ds.api.layer.RecomputedLayer.Inputs;
import ds.zero.config.ActivationCheckpointing;
import ds.zero.config.BatchConfig;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroStage;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * Other settings for the same training, each planned: what they change is where states lie, what is recomputed, and how the
 * global batch is cut; never what is computed.
 *
 * @param config as given
 * @param planner plans a configuration
 */
public record Alternatives(ZeroConfig config, Function<ZeroConfig, MemoryPlan> planner) {
    /**
     * A configuration and its plan.
     *
     * @param recomputed whether activation checkpointing is on
     */
    public record Option(ZeroConfig config, boolean recomputed, MemoryPlan plan) {
        /** {@return its stage} */
        public ZeroStage stage() {
            return config.zero().stage();
        }

        /** {@return on how many ranks it runs, those that share a model included} */
        public int ranks() {
            return config.batch().worldSize() * config.tensorParallel().size();
        }

        /** {@return its batch sizes} */
        public BatchConfig batch() {
            return config.batch();
        }
    }

    /** {@return every possible stage with the micro-batch as given, each without and with recomputation as given or of every layer} */
    public List<Option> stages() {
        List<Option> options = new ArrayList<>();
        for (ZeroStage stage : config.stages()) {
            options.add(option(stage, false, config.batch().microBatchSize()));
            options.add(option(stage, true, config.batch().microBatchSize()));
        }
        return options;
    }

    /**
     * {@return what fits, for every stage from the given one on, without and with recomputation: the largest micro-batch that is
     * the given one, its half, and so on; those that change least come first}
     */
    public List<Option> fitting(RankMemory memory) {
        List<Option> fitting = new ArrayList<>();
        for (ZeroStage stage : stagesFrom(config.zero().stage())) {
            for (boolean recomputed : isRecomputed() ? new boolean[] {true} : new boolean[] {false, true}) {
                largest(stage, recomputed, memory).ifPresent(fitting::add);
            }
        }
        fitting.sort((a, b) -> Integer.compare(changes(a), changes(b)));
        return fitting;
    }

    /** Sharding costs communication or nothing, recomputation a third of the time; smaller products are slower, too. */
    private int changes(Option option) {
        int halvings = Integer.numberOfTrailingZeros(
                config.batch().microBatchSize() / option.batch().microBatchSize());
        boolean recomputation = option.recomputed() && !isRecomputed();
        return option.stage().number() - config.zero().stage().number() + (recomputation ? 2 : 0) + 2 * halvings;
    }

    private List<ZeroStage> stagesFrom(ZeroStage first) {
        boolean alone = config.batch().worldSize() == 1;
        List<ZeroStage> possible = config.stages();
        return possible.subList(first.number(), alone ? first.number() + 1 : possible.size());
    }

    private Optional<Option> largest(ZeroStage stage, boolean recomputed, RankMemory memory) {
        for (int micro = config.batch().microBatchSize(); ; micro /= 2) {
            Option option = option(stage, recomputed, micro);
            if (memory.fits(option.plan().peakBytes())) {
                return Optional.of(option);
            }
            if (micro % 2 != 0) {
                return Optional.empty();
            }
        }
    }

    private Option option(ZeroStage stage, boolean recomputed, int microBatch) {
        BatchConfig batch = config.batch();
        int accumulation = batch.gradientAccumulationSteps() * (batch.microBatchSize() / microBatch);
        ZeroConfig changed = config.withMemorySettings(
                config.zero().withStage(stage),
                recomputed ? recomputation() : new ActivationCheckpointing.None(),
                new BatchConfig(batch.trainBatchSize(), microBatch, accumulation, batch.worldSize()));
        return new Option(changed, recomputed, planner.apply(changed));
    }

    private boolean isRecomputed() {
        return !(config.checkpointing() instanceof ActivationCheckpointing.None);
    }

    private ActivationCheckpointing recomputation() {
        return isRecomputed() ? config.checkpointing() : new ActivationCheckpointing.Every(1, Inputs.ON_DEVICE);
    }
}
