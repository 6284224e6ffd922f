package ds.zero.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.zero.config.Precision;
import ds.zero.config.StatePrecision;
import ds.zero.config.ZeroStage;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The tables of the ZeRO paper (arXiv:1910.02054). A GB has 10^9 bytes there, and a B is 10^9 parameters. */
class ModelStatesTest {
    private static final List<ZeroStage> SHARDED =
            List.of(ZeroStage.OPTIMIZER_STATES, ZeroStage.GRADIENTS, ZeroStage.PARAMETERS);
    private static final List<Long> SIZES = List.of(7_500_000_000L, 128_000_000_000L, 1_000_000_000_000L);

    /**
     * Table 1, GB of a device at stages 1, 2, 3 for 7.5B, 128B and 1T parameters. Some cells are rounded and others cut off (16.6
     * and 4187 of 16.64 and 4187.5), so a cell has to be one of the two, at the digits it has.
     */
    @ParameterizedTest
    @CsvSource({
        "1,    120,  120,  120,  2048, 2048, 2048, 16000, 16000, 16000",
        "4,    52.5, 41.3, 30,   896,  704,  512,  7000,  5500,  4000",
        "16,   35.6, 21.6, 7.5,  608,  368,  128,  4750,  2875,  1000",
        "64,   31.4, 16.6, 1.88, 536,  284,  32,   4187,  2218,  250",
        "256,  30.4, 15.4, 0.47, 518,  263,  8,    4046,  2054,  62.5",
        "1024, 30.1, 15.1, 0.12, 513,  257,  2,    4011,  2013,  15.6"
    })
    void tableOne(
            int ranks,
            String a1,
            String a2,
            String a3,
            String b1,
            String b2,
            String b3,
            String c1,
            String c2,
            String c3) {
        List<String> cells = List.of(a1, a2, a3, b1, b2, b3, c1, c2, c3);
        for (int i = 0; i < cells.size(); i++) {
            long parameters = SIZES.get(i / 3);
            ZeroStage stage = SHARDED.get(i % 3);
            BigDecimal bytes = BigDecimal.valueOf(
                    ModelStates.MIXED.perRank(parameters, ranks, stage).total());
            assertPrinted(cells.get(i), bytes.movePointLeft(9), parameters + " on " + ranks + " at " + stage);
        }
    }

    private static void assertPrinted(String printed, BigDecimal exact, String what) {
        BigDecimal cell = new BigDecimal(printed);
        assertTrue(
                cell.compareTo(exact.setScale(cell.scale(), RoundingMode.HALF_UP)) == 0
                        || cell.compareTo(exact.setScale(cell.scale(), RoundingMode.DOWN)) == 0,
                what + ": printed " + printed + ", by the formula " + exact);
    }

    /**
     * Table 2, largest model in theory on 32 GB with 64 data-parallel ranks and 1 to 16 model-parallel ones, which divide the
     * model: in billions 2, 7.6, 14.4, 128 for one. Each further row is printed as twice the printed one above; at stage 3 from
     * half a trillion on in trillions with one digit.
     */
    @ParameterizedTest
    @CsvSource({
        "1,2,7.6,14.4,128",
        "2,4,15.2,28.8,256",
        "4,8,30.4,57.6,500",
        "8,16,60.8,115.2,1000",
        "16,32,121.6,230.4,2000"
    })
    void tableTwo(int modelParallel, String baseline, String one, String two, String three) {
        assertEquals(new BigDecimal(baseline), largest(ZeroStage.DISABLED, 0, modelParallel));
        assertEquals(new BigDecimal(one), largest(ZeroStage.OPTIMIZER_STATES, 1, modelParallel));
        assertEquals(new BigDecimal(two), largest(ZeroStage.GRADIENTS, 1, modelParallel));
        BigDecimal billions = largest(ZeroStage.PARAMETERS, 0, modelParallel);
        BigDecimal printed = new BigDecimal(three);
        BigDecimal rounded = billions.compareTo(BigDecimal.valueOf(500)) < 0
                ? billions
                : billions.round(new java.math.MathContext(1));
        assertEquals(0, printed.compareTo(rounded), billions + " is printed as " + printed);
    }

    /** Billions of parameters of one model-parallel rank, cut off, times those ranks. */
    private static BigDecimal largest(ZeroStage stage, int decimals, int modelParallel) {
        long parameters = ModelStates.MIXED.mostParameters(32_000_000_000L, 64, stage);
        return BigDecimal.valueOf(parameters)
                .movePointLeft(9)
                .setScale(decimals, RoundingMode.DOWN)
                .multiply(BigDecimal.valueOf(modelParallel));
    }

    /** 16Ψ, 8Ψ + 8Ψ/N, 4Ψ + 12Ψ/N, 16Ψ/N. */
    @ParameterizedTest
    @CsvSource({"DISABLED,1600", "OPTIMIZER_STATES,1000", "GRADIENTS,700", "PARAMETERS,400"})
    void everythingInF32(ZeroStage stage, long bytes) {
        assertEquals(bytes, ModelStates.of(DType.F32).perRank(100, 4, stage).total());
    }

    /** Weight, gradient, what is beside the weight, two moments: at stage 1, 4 bytes and a quarter of the rest. */
    @ParameterizedTest
    @CsvSource({"FP32,F32,700", "SPLIT,F32,650", "BF16,F32,600", "FP32,BF16,600", "SPLIT,BF16,550", "BF16,BF16,500"})
    void lowPrecisionTakesLess(StatePrecision.MasterWeights masters, DType moments, long bytes) {
        var states = new StatePrecision(masters, moments, StatePrecision.Rounding.STOCHASTIC);
        ModelStates of = ModelStates.of(new Precision.Bf16(true, states));
        assertEquals(bytes, of.perRank(100, 4, ZeroStage.OPTIMIZER_STATES).total());
    }

    @ParameterizedTest
    @CsvSource({"DISABLED", "OPTIMIZER_STATES", "GRADIENTS", "PARAMETERS"})
    void fewestRanksAreTheFirstOnWhichItFits(ZeroStage stage) {
        for (long memory : new long[] {10_000, 30_000, 30_001, 41_000, 119_999, 120_000, 200_000}) {
            long fewest = ModelStates.MIXED.fewestRanks(7_500, memory, stage);
            if (fewest > 0) {
                assertTrue(fits(memory, (int) fewest, stage), fewest + " ranks of " + memory);
                assertTrue(fewest == 1 || !fits(memory, (int) fewest - 1, stage), fewest - 1 + " ranks of " + memory);
            } else {
                assertTrue(!fits(memory, 1_000_000, stage), "a million ranks of " + memory);
            }
        }
    }

    /** By the formulas: 16Ψ, 4Ψ + 12Ψ/N, 2Ψ + 14Ψ/N, 16Ψ/N. */
    private static boolean fits(long memory, int ranks, ZeroStage stage) {
        int sharded = List.of(0, 12, 14, 16).get(stage.number());
        return 7_500L * ((16L - sharded) * ranks + sharded) <= memory * ranks;
    }

    @Test
    void largestModelJustFits() {
        for (ZeroStage stage : ZeroStage.values()) {
            long most = ModelStates.MIXED.mostParameters(1_000_000_000, 8, stage);
            assertTrue(ModelStates.MIXED.perRank(most - 1, 8, stage).total() <= 1_000_000_000, stage.toString());
            assertTrue(ModelStates.MIXED.perRank(most + 2, 8, stage).total() > 1_000_000_000, stage.toString());
        }
    }
}
