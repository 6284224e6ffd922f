package ds.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.Signs;
import ds.tck.SideBySide.Twin;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Signs and scales: what is sent and what is left are the numbers, whatever the backend; blocks of 4096 and others, words of 32 and others. */
public interface SignsContract extends BackendContract {
    /** {@return numbers of which every seventh is 0, and the others lie between −2 and 2 with both signs} */
    private static double[] numbers(int n) {
        double[] numbers = new double[n];
        for (int i = 0; i < n; i++) {
            numbers[i] = i % 7 == 3 ? (i % 2 == 0 ? 0.0 : -0.0) : (float) (2 * Math.sin(1.7 * i * i));
        }
        return numbers;
    }

    /** {@return above 0 where a number takes part: not at every fifth place, nowhere in the second block} */
    private static double[] active(int n) {
        double[] active = new double[n];
        for (int i = 0; i < n; i++) {
            active[i] = i % 5 == 2 || i / Signs.BLOCK == 1 ? 0 : 1e-12 * (1 + i % 3);
        }
        return active;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 31, 32, 33, 100, 4095, 4096, 4097, 70_001})
    default void takesSignsAndLeavesTheRest(int n) {
        try (SideBySide sides = new SideBySide(backend())) {
            double[] numbers = numbers(n);
            double[] active = active(n);
            Twin x = sides.values(DType.F32, numbers, n);
            Twin takesPart = sides.values(DType.F32, active, n);
            Twin bits = sides.output(DType.I32, Math.ceilDiv(n, 32));
            Twin scales = sides.output(DType.F32, Math.ceilDiv(n, Signs.BLOCK));
            sides.run((k, s) -> k.takeSigns(s.of(x), s.of(takesPart), new Signs(s.of(bits), s.of(scales))));
            sides.check("bits", bits, Bound.EXACT);
            sides.check("scales", scales, Bound.EACH.rounded(DType.F32, 1)); // sums in F64, in any order, rounded once
            sides.check("rest", x, Bound.EXACT.rounded(DType.F32, 2)); // of the scale, and of the difference
            double[] left = sides.tested(x);
            double[] scale = sides.tested(scales);
            double[] words = sides.tested(bits);
            for (int i = 0; i < n; i++) {
                boolean positive = ((int) words[i / 32] >>> i & 1) == 1;
                double sent = active[i] > 0 ? (positive ? 1 : -1) * scale[i / Signs.BLOCK] : 0;
                double number = active[i] > 0 ? numbers[i] : 0;
                assertEquals(number >= 0, positive, "sign of element " + i);
                assertEquals((float) (number - sent), (float) left[i], "rest of element " + i);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 0", "1, 1", "0.25, 1", "-3, 0", "33, 1", "0.1, 0.9"})
    default void addsSigns(double alpha, float beta) {
        for (int n : new int[] {1, 33, 4097, 70_001}) {
            try (SideBySide sides = new SideBySide(backend())) {
                Twin x = sides.values(DType.F32, numbers(n), n);
                Twin takesPart = sides.values(DType.F32, active(n), n);
                Twin message = sides.output(DType.I32, Signs.words(n));
                Twin y = beta == 0 ? sides.output(DType.F32, n) : sides.normal(DType.F32, 0, 1, n);
                sides.runReference((k, s) -> k.takeSigns(s.of(x), s.of(takesPart), Signs.in(s.of(message), n)));
                sides.share(message);
                sides.run((k, s) -> k.addSigns(alpha, Signs.in(s.of(message), n), s.of(takesPart), beta, s.of(y)));
                sides.check("sum", y, Bound.EXACT);
            }
        }
    }

    /** What takes no part may be anything: a number that is not finite must not reach the others of its block. */
    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY})
    default void whatTakesNoPartCountsAsZero(double anything) {
        int n = 200;
        try (SideBySide sides = new SideBySide(backend())) {
            double[] numbers = new double[n];
            double[] active = new double[n];
            for (int i = 0; i < n; i++) {
                numbers[i] = i % 2 == 0 ? 3 : anything;
                active[i] = i % 2 == 0 ? 1 : 0;
            }
            Twin x = sides.values(DType.F32, numbers, n);
            Twin takesPart = sides.values(DType.F32, active, n);
            Twin message = sides.output(DType.I32, Signs.words(n));
            sides.run((k, s) -> {
                k.takeSigns(s.of(x), s.of(takesPart), Signs.in(s.of(message), n));
                k.addSigns(1, Signs.in(s.of(message), n), s.of(takesPart), 1, s.of(x));
            });
            double[] expected = new double[n];
            for (int i = 0; i < n; i += 2) {
                expected[i] = 3;
            }
            sides.checkExactly("rest and what was taken", expected, x);
        }
    }
}
