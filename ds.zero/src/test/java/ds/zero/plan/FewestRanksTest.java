package ds.zero.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.MemoryUse;
import ds.api.comm.Traffic;
import ds.api.layer.PassMemory;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroStage;
import ds.zero.plan.Alternatives.Option;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Compared with trying one number of ranks after the other, where shards are padded. */
class FewestRanksTest {
    private static final ZeroConfig CONFIG = ZeroConfig.parse(
                    "{\"train_micro_batch_size_per_gpu\": 3, \"gradient_accumulation_steps\": 5}", Known.ofWorld(2))
            .value();

    private final AtomicInteger plans = new AtomicInteger();

    /** 1000 bytes that are whole, and 10 units of 997 elements, of 1000 bytes each, that are sharded from stage 1 on. */
    private MemoryPlan plan(ZeroConfig config) {
        plans.incrementAndGet();
        assertEquals(3, config.batch().microBatchSize());
        assertEquals(5, config.batch().gradientAccumulationSteps());
        long ranks =
                config.zero().stage() == ZeroStage.DISABLED ? 1 : config.batch().worldSize();
        long peak = 1000 + 10 * 1000 * Math.ceilDiv(997, ranks);
        return new MemoryPlan(
                new MemoryUse(Map.of(), peak, peak),
                Map.of(),
                peak,
                Traffic.NONE,
                1,
                new PassMemory(0, 0),
                Optional.empty());
    }

    private Optional<Option> fewest(ZeroStage stage, long tensors) {
        RankMemory memory = new RankMemory(OptionalLong.of(tensors + RankMemory.RESERVED_BYTES));
        return new FewestRanks(CONFIG, this::plan, memory).at(stage);
    }

    @ParameterizedTest
    @CsvSource({
        "9971000, 1",
        "9970999, 2",
        "4991000, 2",
        "4990999, 3",
        "1001000, 10",
        "1000999, 11",
        "111000, 91",
        "71000, 143",
        "31000, 333",
        "11000, 997"
    })
    void oneRankFewerWouldNotFit(long tensors, int expected) {
        Option found = fewest(ZeroStage.PARAMETERS, tensors).orElseThrow();
        assertEquals(expected, found.batch().worldSize());
        assertEquals(15L * expected, found.batch().trainBatchSize());
        assertEquals(ZeroStage.PARAMETERS, found.stage());
        assertTrue(plans.get() <= 6 + 2 * 10, plans + " dry runs, to bracket 997 ranks and to halve 768");
    }

    @Test
    void noNumberOfRanksIsEnoughForWhatIsNotSharded() {
        assertEquals(Optional.empty(), fewest(ZeroStage.DISABLED, 9_970_999));
        assertEquals(3, plans.get(), "what does not help is seen soon");
        assertEquals(Optional.empty(), fewest(ZeroStage.GRADIENTS, 10_999));
    }
}
