package ds.zero.optimizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import ds.api.Bf16;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.tck.ReferenceBackend;
import ds.zero.config.StatePrecision.Rounding;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StoredElementsTest {
    private static final int N = 1003;

    /** Halfway between two BF16 numbers. */
    private static final float VALUE = 1 + 1f / 256;

    private static short[] rounded(StateRounding rounding, String unit, String kind, long first, long update) {
        try (ReferenceBackend backend = new ReferenceBackend()) {
            Kernels kernels = backend.kernels(backend.computeStream());
            Tensor bf16 = backend.allocate(DType.BF16, Shape.of(N), "test");
            Tensor values = backend.allocate(DType.F32, Shape.of(N), "test");
            kernels.fill(values, VALUE);
            rounding.of(bf16, unit, kind, first).store(kernels, values, update);
            return bf16.host().toArray(ValueLayout.JAVA_SHORT);
        }
    }

    private static StateRounding stochastic(long seed) {
        return new StateRounding(Rounding.STOCHASTIC, seed);
    }

    @ParameterizedTest
    @CsvSource({"2, h.0, exp_avg, 0, 1", "1, h.1, exp_avg, 0, 1", "1, h.0, exp_avg_sq, 0, 1", "1, h.0, exp_avg, 0, 2"})
    void randomBitsDependOnSeedUnitKindAndUpdate(long seed, String unit, String kind, long first, long update) {
        short[] one = rounded(stochastic(1), "h.0", "exp_avg", 0, 1);
        assertArrayEquals(one, rounded(stochastic(1), "h.0", "exp_avg", 0, 1));
        short[] other = rounded(stochastic(seed), unit, kind, first, update);
        int same = 0;
        for (int i = 0; i < N; i++) {
            same += one[i] == other[i] ? 1 : 0;
        }
        assertEquals(N / 2.0, same, 6 * Math.sqrt(N) / 2, "independent bits agree in half of the elements");
    }

    @Test
    void randomBitsBelongToTheElementsOfTheUnit() {
        short[] whole = rounded(stochastic(1), "h.0", "exp_avg", 0, 1);
        short[] later = rounded(stochastic(1), "h.0", "exp_avg", 501, 1);
        assertArrayEquals(Arrays.copyOfRange(whole, 501, N), Arrays.copyOf(later, N - 501));
        assertFalse(Arrays.equals(whole, later));
    }

    @Test
    void roundedToNearestAllAreAlike() {
        for (short bits : rounded(new StateRounding(Rounding.NEAREST, 1), "h.0", "exp_avg", 0, 1)) {
            assertEquals(Bf16.nearest(VALUE), bits);
        }
    }
}
