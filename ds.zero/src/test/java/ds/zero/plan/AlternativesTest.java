package ds.zero.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.MemoryUse;
import ds.api.comm.Traffic;
import ds.api.layer.PassMemory;
import ds.zero.config.ActivationCheckpointing;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.plan.Alternatives.Option;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** Settings that fit, of a machine whose plans are simple: states by stage, activations by sequence and recomputation. */
class AlternativesTest {
    private static final long MEBI = 1 << 20;

    private static ZeroConfig config(int stage, int ranks, int micro) {
        return ZeroConfig.parse("""
                        {"train_micro_batch_size_per_gpu": %d, "gradient_accumulation_steps": 3,
                         "zero_optimization": {"stage": %d}}
                        """.formatted(micro, stage), Known.ofWorld(ranks))
                .value();
    }

    /** 400 MiB of states less 100 for each stage; 100 MiB for each sequence, a quarter with recomputation. */
    private static MemoryPlan plan(ZeroConfig config) {
        long states = (400 - 100L * config.zero().stage().number()) * MEBI;
        boolean kept = config.checkpointing() instanceof ActivationCheckpointing.None;
        long peak = states + config.batch().microBatchSize() * (kept ? 100L : 25L) * MEBI;
        return new MemoryPlan(
                new MemoryUse(Map.of(), peak, peak),
                Map.of(),
                peak,
                Traffic.NONE,
                1,
                new PassMemory(0, 0),
                Optional.empty());
    }

    private static RankMemory memory(long tensors) {
        return new RankMemory(OptionalLong.of(tensors + RankMemory.RESERVED_BYTES));
    }

    private static List<String> fitting(ZeroConfig config, long mebibytes) {
        return new Alternatives(config, AlternativesTest::plan)
                .fitting(memory(mebibytes * MEBI)).stream()
                        .map(AlternativesTest::describe)
                        .toList();
    }

    private static String describe(Option option) {
        return "stage " + option.stage().number() + (option.recomputed() ? " recomputed " : " kept ")
                + option.batch().microBatchSize() + "x" + option.batch().gradientAccumulationSteps();
    }

    @Test
    void leastChangeComesFirstAndTheGlobalBatchStays() {
        List<String> expected = List.of(
                "stage 3 kept 4x3",
                "stage 0 recomputed 4x3",
                "stage 0 kept 1x12",
                "stage 1 recomputed 4x3",
                "stage 1 kept 2x6",
                "stage 2 recomputed 4x3",
                "stage 2 kept 2x6",
                "stage 3 recomputed 4x3");
        List<String> fitting = fitting(config(0, 2, 4), 500);
        assertEquals(expected.size(), fitting.size(), fitting.toString());
        assertTrue(fitting.containsAll(expected), fitting.toString());
        assertEquals("stage 0 recomputed 4x3", fitting.getFirst());
    }

    @Test
    void shardingIsNoHelpForOneRank() {
        assertEquals(List.of("stage 0 recomputed 4x3", "stage 0 kept 1x12"), fitting(config(0, 1, 4), 500));
    }

    @Test
    void nothingFits() {
        assertEquals(List.of(), fitting(config(0, 2, 4), 100));
    }

    @Test
    void oddMicroBatchesAreNotHalved() {
        assertEquals(List.of("stage 3 recomputed 3x3"), fitting(config(3, 2, 3), 200));
    }

    @Test
    void withoutLimitEverythingFits() {
        RankMemory unlimited = new RankMemory(OptionalLong.empty());
        assertTrue(unlimited.fits(Long.MAX_VALUE));
    }

    @Test
    void everyStageIsShownBothWays() {
        List<Option> stages = new Alternatives(config(2, 2, 4), AlternativesTest::plan).stages();
        assertEquals(8, stages.size());
        assertEquals(config(2, 2, 4), stages.get(4).config());
        assertEquals("stage 2 recomputed 4x3", describe(stages.get(5)));
    }
}
