package ds.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.Bf16;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.tck.SideBySide.Twin;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Stochastic rounding to BF16, and F32 numbers in two halves: the bits of {@link Bf16}, whatever the backend. */
public interface Bf16Contract extends BackendContract {
    /** {@return bits between which numbers behave alike: zeros, denormals, ties, the largest finite, infinity, NaN} */
    private static int[] edges() {
        return new int[] {
            0,
            1,
            0x7fff,
            0x8000,
            0x8001,
            0xffff,
            0x10000,
            0x18000,
            0x17fff,
            0x7fffff,
            0x800000,
            0x3f800000,
            0x3f807fff,
            0x3f808000,
            0x3f808001,
            0x3f818000,
            0x3f81ffff,
            0x7f7f0000,
            0x7f7f7fff,
            0x7f7f8000,
            0x7f7fffff,
            0x7f800000,
            0x7f800001,
            0x7fc00000,
            0x7fffffff
        };
    }

    /** {@return n numbers: edges of both signs, then random bits} */
    private static double[] numbers(int n) {
        double[] numbers = new double[n];
        int[] edges = edges();
        CounterRandom random = new CounterRandom(CounterRandom.key(7), 0);
        for (int i = 0; i < n; i++) {
            int bits = i < 2 * edges.length ? edges[i / 2] | (i % 2) << 31 : (int) random.bits(i);
            numbers[i] = Float.intBitsToFloat(bits);
        }
        return numbers;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 50, 64, 1003, 70_001})
    default void splitAndJoinGiveTheBitsOfTheScalars(int n) {
        assumeTrue(backend().supports(DType.BF16));
        try (SideBySide sides = new SideBySide(backend())) {
            Twin x = sides.values(DType.F32, numbers(n), n);
            Twin nearest = sides.output(DType.BF16, n);
            Twin rest = sides.output(DType.BF16, n);
            Twin joined = sides.output(DType.F32, n);
            sides.run((k, s) -> k.split(s.of(x), s.of(nearest), s.of(rest)));
            sides.run((k, s) -> k.join(s.of(nearest), s.of(rest), s.of(joined)));
            sides.check("nearest", nearest, Bound.EXACT);
            sides.check("joined", joined, Bound.EXACT);
            sides.checkGuards("rest", rest.tested());
            double[] numbers = sides.tested(x);
            double[] all = sides.tested(joined);
            for (int i = 0; i < n; i++) {
                float number = (float) numbers[i];
                assertEquals(Bf16.join(Bf16.nearest(number), Bf16.rest(number)), (float) all[i], "of " + number);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3, 1_000_000_007L})
    default void stochasticRoundingGivesTheBitsOfTheScalars(long first) {
        assumeTrue(backend().supports(DType.BF16));
        int n = 70_001;
        try (SideBySide sides = new SideBySide(backend())) {
            CounterRandom random = new CounterRandom(CounterRandom.key(3), first);
            Twin x = sides.values(DType.F32, numbers(n), n);
            Twin y = sides.output(DType.BF16, n);
            sides.run((k, s) -> k.roundStochastically(s.of(x), random, s.of(y)));
            sides.check("rounded", y, Bound.EXACT);
            double[] numbers = sides.tested(x);
            double[] rounded = sides.tested(y);
            for (int i = 0; i < n; i++) {
                short expected = Bf16.stochastic((float) numbers[i], random.bits16(i));
                assertEquals(Bf16.value(expected), (float) rounded[i], "element " + i + ", " + numbers[i]);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 15, 16, 33, 500, 1002})
    default void anyShardingRoundsToTheSameBits(long cut) {
        assumeTrue(backend().supports(DType.BF16));
        long n = 1003;
        try (SideBySide sides = new SideBySide(backend())) {
            long key = CounterRandom.key(5);
            Twin x = sides.normal(DType.F32, 0, 1, n);
            Twin whole = sides.output(DType.BF16, n);
            Twin parts = sides.output(DType.BF16, n);
            Twin[] from = {x.slice(0, cut), x.slice(cut, n - cut)};
            Twin[] to = {parts.slice(0, cut), parts.slice(cut, n - cut)};
            sides.run((k, s) -> {
                k.roundStochastically(s.of(x), new CounterRandom(key, 40), s.of(whole));
                k.roundStochastically(s.of(from[0]), new CounterRandom(key, 40), s.of(to[0]));
                k.roundStochastically(s.of(from[1]), new CounterRandom(key, 40 + cut), s.of(to[1]));
            });
            sides.checkExactly("parts", sides.tested(whole), parts);
        }
    }

    /**
     * Each rounding errs by less than one step of BF16 and by 0 on average: the mean of n independent ones, of which each has a
     * deviation of at most half a step, lies within six deviations of 0 but for one seed in 10^8.
     */
    @Test
    default void stochasticRoundingIsUnbiased() {
        assumeTrue(backend().supports(DType.BF16));
        int n = 1 << 18;
        try (SideBySide sides = new SideBySide(backend())) {
            for (double fraction : new double[] {1.0 / 65536, 0.1, 0.5, 0.9}) {
                double value = (float) (1 + fraction / 128);
                Twin x = sides.constant(DType.F32, value, n);
                Twin y = sides.output(DType.BF16, n);
                sides.run(
                        (k, s) -> k.roundStochastically(s.of(x), new CounterRandom(CounterRandom.key(11), 0), s.of(y)));
                double mean = java.util.Arrays.stream(sides.tested(y)).average().orElseThrow();
                double bound = 6 * 0.5 / 128 / Math.sqrt(n);
                assertTrue(Math.abs(mean - value) < bound, "mean of " + value + " is " + mean + ", bound " + bound);
            }
        }
    }
}
