package ds.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.CoreKernels.Rows;
import ds.api.DType;
import ds.tck.SideBySide.Twin;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Softmax cross-entropy and its gradient in place. */
public interface LossContract extends BackendContract {
    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 1",
        "1, 2, 2, 3",
        "3, 37, 37, 1",
        "7, 37, 64, 3",
        "2, 1001, 1024, 1",
        "2, 20011, 20032, 3",
        "33, 65, 80, 5",
        "3, 257, 257, 1e4",
        "2, 17, 32, 1e4"
    })
    default void lossAndGradient(long rows, long vocabulary, long padded, double deviation) {
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                Twin logits = logits(sides, dtype, new long[] {rows, vocabulary, padded}, deviation);
                Twin targets = sides.indices(vocabulary, rows);
                Twin losses = sides.output(DType.F32, rows);
                double[] before = sides.tested(logits);

                sides.run((k, s) -> k.crossEntropy(s.of(logits), s.of(targets), vocabulary, 0, s.of(losses)));
                Bound bound = loss(vocabulary, Math.max(1, deviation * Bound.DEVIATIONS));
                sides.check("losses alone " + dtype, losses, bound);
                assertArrayEquals(before, sides.tested(logits), "logits with gradientScale 0");

                double scale = 1.0 / rows;
                sides.run((k, s) -> k.crossEntropy(s.of(logits), s.of(targets), vocabulary, scale, s.of(losses)));
                sides.check("losses " + dtype, losses, bound);
                sides.check("gradient " + dtype, logits, gradient(dtype, vocabulary, deviation, scale));
                checkPadding(sides.tested(logits), vocabulary, padded);
            }
        }
    }

    /** Logits with something in the padding that would be seen if it were read as a number. */
    private static Twin logits(SideBySide sides, DType dtype, long[] dims, double deviation) {
        Twin logits = sides.constant(dtype, 30000, dims[0], dims[2]);
        Twin real = sides.normal(dtype, 0, deviation, dims[0], dims[1]);
        sides.run((k, s) ->
                k.copyRows(new Rows(s.of(real), 0, dims[1]), new Rows(s.of(logits), 0, dims[2]), dims[0], dims[1]));
        return logits;
    }

    private static void checkPadding(double[] gradient, long vocabulary, long padded) {
        for (int i = 0; i < gradient.length; i++) {
            if (i % padded >= vocabulary) {
                assertEquals(0, gradient[i], "gradient of padding column " + i % padded);
            }
        }
    }

    /** max + log(sum) − target: V roundings of the sum, relative and so absolute in its log, and a few of the logits. */
    private static Bound loss(long vocabulary, double largest) {
        return Bound.EXACT
                .rounded(DType.F32, 4)
                .summed(DType.F32, vocabulary + 2.0 * Bound.FUNCTION, 1)
                .summed(DType.F32, 4, largest);
    }

    /** A probability is at most 1 and errs by V roundings, and as many as its logit is large. */
    private static Bound gradient(DType dtype, long vocabulary, double deviation, double scale) {
        double largest = deviation * Bound.DEVIATIONS;
        return Bound.EXACT.rounded(dtype, 1).summed(DType.F32, vocabulary + 2.0 * Bound.FUNCTION + 2 * largest, scale);
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "3, 7, 1", "5, 256, 1", "2, 1001, 1", "33, 65, 5"})
    default void softmaxOfKnownSums(long rows, long columns, double deviation) {
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                Twin x = sides.normal(dtype, 0, deviation, rows, columns);
                Twin sums =
                        sides.normal(DType.F32, deviation * Bound.DEVIATIONS, 1, rows); // exponents below 0, or near it
                sides.run((k, s) -> k.softmax(s.of(x), s.of(sums), 3));
                sides.check(
                        "softmax " + dtype, x, gradient(dtype, 1, 2 * deviation + 1, 3 * Math.exp(Bound.DEVIATIONS)));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 5", "4, 5", "0, 1", "1000, 1001"})
    default void sureAndRightCostsNothing(int target, int vocabulary) {
        double[] values = new double[vocabulary];
        values[target] = 1e4;
        try (SideBySide sides = new SideBySide(backend())) {
            Twin logits = sides.values(DType.F32, values, 1, vocabulary);
            Twin targets = sides.values(DType.I32, new double[] {target}, 1);
            Twin losses = sides.output(DType.F32, 1);
            sides.run((k, s) -> k.crossEntropy(s.of(logits), s.of(targets), vocabulary, 1, s.of(losses)));
            sides.checkExactly("loss", new double[1], losses);
            sides.checkExactly("gradient", new double[vocabulary], logits);
        }
    }
}
