package ds.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.CoreKernels.Rows;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Quantization;
import ds.tck.SideBySide.Twin;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Quantization in blocks: the bits of {@link Quantization}, whatever the backend, and its error bound. Numbers lie on a scale of their
 * own in each block, so that a scale taken from another one is seen.
 */
public interface QuantizationContract extends BackendContract {
    /** {@return n numbers of which each block of 64 has another magnitude, with zeros, ties and denormals between} */
    private static double[] numbers(int n) {
        CounterRandom random = new CounterRandom(CounterRandom.key(23), 0);
        double[] numbers = new double[n];
        for (int i = 0; i < n; i++) {
            double uniform = 2 * random.uniform(i) - 1;
            double magnitude = Math.scalb(1.0, (i / 64 * 7) % 30 - 16);
            numbers[i] = switch (i % 11) {
                case 3 -> 0;
                case 5 -> Math.rint(uniform * 8) / 2 * magnitude;
                case 7 -> uniform * Float.MIN_NORMAL;
                default -> uniform * magnitude;
            };
        }
        return numbers;
    }

    /** {@return how far a number may be from what comes back: half a scale, and a unit of F32 for each operation} */
    private static double bound(Quantization q, double largest) {
        double scale = Math.max(largest / q.largestCode(), Float.MIN_NORMAL) * (1 + Math.scalb(1.0, -23));
        return scale * (0.5 + 4 * q.largestCode() * Math.scalb(1.0, -24));
    }

    /** {@return where a block ends that begins there, in rows of n} */
    private static int end(int first, int block, int n) {
        return Math.min(first + block, (first / n + 1) * n);
    }

    private static double largest(double[] x, int from, int to) {
        return Arrays.stream(x, from, to).map(Math::abs).max().orElseThrow();
    }

    /** Rows lie apart, the words of one between those of another, as a sender needs them. */
    @ParameterizedTest
    @CsvSource({
        "8,128,1,1",
        "8,128,3,7",
        "8,128,2,128",
        "8,256,3,1003",
        "8,512,2,20016",
        "4,128,1,1",
        "4,128,2,129",
        "4,256,3,1003",
        "4,256,2,20016",
        "4,512,4,16"
    })
    default void whatComesBackIsWithinHalfAStepAndHasTheBitsOfTheScalars(int bits, int block, int rows, int n) {
        Quantization q = new Quantization(bits, block);
        long words = q.words(n);
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                Twin x = sides.values(dtype, numbers(rows * n), rows, n);
                Twin kept = sides.output(DType.I32, 2L * rows, words);
                Twin y = sides.output(dtype, rows, n);
                Twin f32 = sides.output(DType.F32, rows, n);
                sides.run((k, s) -> k.quantize(s.of(x), q, new Rows(s.of(kept), words, 2 * words)));
                sides.check("words", kept, Bound.EXACT);
                sides.run((k, s) -> k.dequantize(new Rows(s.of(kept), words, 2 * words), q, s.of(y)));
                sides.run((k, s) -> k.dequantize(new Rows(s.of(kept), words, 2 * words), q, s.of(f32)));
                sides.check("numbers", y, Bound.EXACT);
                sides.check("numbers in F32", f32, Bound.EXACT);
                double[] expected = sides.tested(x);
                double[] actual = sides.tested(f32);
                for (int first = 0; first < expected.length; first = end(first, block, n)) {
                    double bound = bound(q, largest(expected, first, end(first, block, n)));
                    for (int i = first; i < end(first, block, n); i++) {
                        double error = Math.abs(expected[i] - actual[i]);
                        assertTrue(error <= bound, () -> dtype + ": " + error + " off, bound " + bound);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"8,128,1,77", "8,256,3,1003", "4,128,2,32", "4,256,4,9000"})
    default void rowsAreSummedInTheirOrder(int bits, int block, int rows, int n) {
        Quantization q = new Quantization(bits, block);
        long words = q.words(n);
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                Twin x = sides.normal(DType.F32, 0, 1, rows, n);
                Twin kept = sides.output(DType.I32, rows, words + 3);
                Twin numbers = sides.output(DType.F32, rows, n);
                Twin sum = sides.output(dtype, n);
                sides.run((k, s) -> k.quantize(s.of(x), q, new Rows(s.of(kept), 0, words + 3)));
                sides.run((k, s) -> k.dequantize(new Rows(s.of(kept), 0, words + 3), q, s.of(numbers)));
                sides.run((k, s) -> k.sumQuantized(new Rows(s.of(kept), 0, words + 3), rows, q, s.of(sum)));
                sides.check("sum", sum, Bound.EXACT);
                double[] all = sides.tested(numbers);
                double[] sums = new double[n];
                for (int i = 0; i < n; i++) {
                    float f32 = (float) all[i];
                    for (int row = 1; row < rows; row++) {
                        f32 += (float) all[row * n + i];
                    }
                    sums[i] = f32;
                }
                Twin rounded = sides.values(dtype, sums, n);
                sides.checkExactly("sum", sides.tested(rounded), sum);
            }
        }
    }

    /** An overflow must be seen behind the exchange, in the block where it is, and nowhere else. */
    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
    default void whatIsNotFiniteComesBackAsNan(double bad) {
        for (int bits : new int[] {4, 8}) {
            Quantization q = new Quantization(bits, 128);
            int n = 300;
            for (int at : new int[] {0, 127, 128, 255, 299}) {
                try (SideBySide sides = new SideBySide(backend())) {
                    double[] values = numbers(n);
                    values[at] = bad;
                    Twin x = sides.values(DType.F32, values, n);
                    Twin kept = sides.output(DType.I32, q.words(n));
                    Twin y = sides.output(DType.F32, n);
                    Twin sum = sides.output(DType.F32, n);
                    sides.run((k, s) -> k.quantize(s.of(x), q, new Rows(s.of(kept), 0, 0)));
                    sides.run((k, s) -> k.dequantize(new Rows(s.of(kept), 0, 0), q, s.of(y)));
                    sides.run((k, s) -> k.sumQuantized(new Rows(s.of(kept), 0, 0), 1, q, s.of(sum)));
                    for (double[] actual : new double[][] {sides.tested(y), sides.tested(sum)}) {
                        for (int i = 0; i < n; i++) {
                            boolean inBlock = i / 128 == at / 128;
                            assertEquals(inBlock, Double.isNaN(actual[i]), "element " + i + " beside " + at);
                        }
                    }
                }
            }
        }
    }

    /** Multiples of a scale that is a power of two lose nothing: the codes reach from the smallest to the largest. */
    @Test
    default void codesUpToTheLargestAreExact() {
        for (int bits : new int[] {4, 8}) {
            Quantization q = new Quantization(bits, 256);
            int n = 2 * q.largestCode() + 1;
            double[] values = new double[n];
            Arrays.setAll(values, i -> (i - q.largestCode()) * 0.25);
            try (SideBySide sides = new SideBySide(backend())) {
                Twin x = sides.values(DType.F32, values, n);
                Twin kept = sides.output(DType.I32, q.words(n));
                Twin y = sides.output(DType.F32, n);
                sides.run((k, s) -> k.quantize(s.of(x), q, new Rows(s.of(kept), 0, 0)));
                sides.run((k, s) -> k.dequantize(new Rows(s.of(kept), 0, 0), q, s.of(y)));
                sides.checkExactly("codes", values, y);
            }
        }
    }
}
