package ds.zero.plan;

import ds.zero.config.ActivationCheckpointing;
import ds.zero.config.BatchConfig;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroStage;
import ds.zero.plan.Alternatives.Option;
import java.util.Optional;
import java.util.function.Function;

/**
 * On how many ranks a training fits. Every rank does as much as is configured, so that {@code train_batch_size} follows the number of
 * ranks; stages and ranks are what changes. Ranks that share a model are counted as one here.
 *
 * <p>What a rank needs falls like a + b/n, but for padding: shards of a unit are equal, so that n of them may be a little longer than
 * the unit. So there is a number of ranks of which it is sure that it fits and that one fewer does not; an even smaller
 * one could fit by chance of padding, and is not looked for.
 *
 * @param config as given
 * @param planner plans a configuration
 * @param memory of one rank
 */
public record FewestRanks(ZeroConfig config, Function<ZeroConfig, MemoryPlan> planner, RankMemory memory) {
    /** More ranks than this are not tried. */
    public static final int MOST = 1 << 16;

    private static final int GROWTH = 4;

    /**
     * {@return the training on so many ranks that it fits, and would not on one fewer; empty if more ranks do not help}
     *
     * @param stage in place of the configured one
     */
    public Optional<Option> at(ZeroStage stage) {
        Option few = on(1, stage);
        if (fits(few)) {
            return Optional.of(few);
        }
        for (Option many = on(GROWTH, stage); ; many = on(GROWTH * ranks(many), stage)) {
            if (fits(many)) {
                return Optional.of(between(few, many));
            }
            boolean helps =
                    ranks(few) == 1 || many.plan().peakBytes() < few.plan().peakBytes();
            if (!helps || GROWTH * ranks(many) > MOST) {
                return Optional.empty();
            }
            few = many;
        }
    }

    /** Narrows down where it begins to fit. */
    private Option between(Option misfit, Option fit) {
        Option few = misfit;
        Option many = fit;
        for (int probe = 1; ranks(many) > ranks(few) + 1; probe++) {
            boolean halve = probe > 2 && probe % 2 == 1; // where shards are mostly padding, estimates lead astray
            int middle = halve ? (ranks(few) + ranks(many)) / 2 : estimate(few, many);
            Option next = on(middle, few.stage());
            if (fits(next)) {
                many = next;
            } else {
                few = next;
            }
        }
        return many;
    }

    /** {@return the number of ranks strictly between two at which a + b/n, through both, meets what a rank may have} */
    private int estimate(Option few, Option many) {
        double most = memory.limitBytes().orElseThrow() - RankMemory.RESERVED_BYTES;
        double slope = (few.plan().peakBytes() - many.plan().peakBytes()) / (1.0 / ranks(few) - 1.0 / ranks(many));
        double inverse = 1.0 / ranks(many) + (most - many.plan().peakBytes()) / slope;
        return (int) Math.clamp(Math.ceil(1 / inverse), ranks(few) + 1.0, ranks(many) - 1.0);
    }

    private boolean fits(Option option) {
        return memory.fits(option.plan().peakBytes());
    }

    private static int ranks(Option option) {
        return option.batch().worldSize();
    }

    private Option on(int ranks, ZeroStage stage) {
        BatchConfig given = config.batch();
        long sequences = (long) given.microBatchSize() * given.gradientAccumulationSteps() * ranks;
        ZeroConfig changed = config.withMemorySettings(
                config.zero().withStage(stage),
                config.checkpointing(),
                new BatchConfig(sequences, given.microBatchSize(), given.gradientAccumulationSteps(), ranks));
        boolean recomputed = !(config.checkpointing() instanceof ActivationCheckpointing.None);
        return new Option(changed, recomputed, planner.apply(changed));
    }
}
