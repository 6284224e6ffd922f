package ds.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.tck.SideBySide.Twin;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Linear, bias + GELU, dropout and embedding. */
public interface FusedKernelsContract extends BackendContract {
    @ParameterizedTest
    @CsvSource({"1, 1, 1", "3, 17, 5", "7, 65, 33", "64, 48, 16", "5, 130, 257"})
    default void linearMultipliesAndAddsTheBias(long m, long n, long depth) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin x = sides.normal(dtype, 0, 1, m, depth);
                Twin w = sides.normal(dtype, 0, 1, depth, n);
                Twin bias = sides.normal(dtype, 0, 1, n);
                Twin y = sides.output(dtype, m, n);
                sides.run((k, s) -> k.linear(s.of(x), s.of(w), s.of(bias), s.of(y)));
                // The composed form rounds the product to the type before it adds the bias: a rounding of either.
                Bound bound = Bound.EXACT
                        .rounded(dtype, 2)
                        .summed(dtype, 1, Bound.DEVIATIONS)
                        .summed(DType.F32, depth + 1, Bound.partial(depth + 1, 1));
                sides.check("linear " + dtype, y, bound);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "3, 17", "7, 64", "33, 65", "2, 1000"})
    default void biasGeluAndItsGradient(long m, long n) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin x = sides.normal(dtype, 0, 2, m, n);
                Twin bias = sides.normal(dtype, 0, 1, n);
                Twin dy = sides.normal(dtype, 0, 1, m, n);
                biasGelu(sides, x, bias, dy);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 16, 37})
    default void biasGeluOfLargeNumbersIsFinite(long n) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin x = sides.normal(dtype, 0, 1e4, 3, n);
                Twin bias = sides.normal(dtype, 0, 1e3, n);
                biasGelu(sides, x, bias, sides.normal(dtype, 0, 1, 3, n));
            }
        }
    }

    private void biasGelu(SideBySide sides, Twin x, Twin bias, Twin dy) {
        DType dtype = x.tested().dtype();
        long rows = x.tested().shape().rows();
        long n = x.tested().shape().columns();
        Twin y = sides.output(dtype, rows, n);
        sides.run((k, s) -> k.biasGelu(s.of(x), s.of(bias), s.of(y)));
        Bound forward = Bound.EXACT.rounded(dtype, 1).rounded(DType.F32, 8 + Bound.FUNCTION);
        sides.check("biasGelu " + dtype, y, forward);

        Twin dx = sides.output(dtype, rows, n);
        Twin dBias = sides.normal(DType.F32, 0, 1, n);
        sides.run((k, s) -> k.biasGeluBackward(s.of(dy), s.of(x), s.of(bias), s.of(dx), s.of(dBias)));
        // |gelu'| < 1.13; its terms, u² among them, are at most a few units where 1 − tanh² is not 0.
        double largest = 1.13 * dy.largest();
        Bound backward = Bound.EXACT.rounded(dtype, 1).summed(DType.F32, 16 + 4 * Bound.FUNCTION, largest);
        sides.check("biasGeluBackward dx " + dtype, dx, backward);
        // Rows may be summed before or after they are rounded to the type.
        Bound sum = Bound.EXACT
                .summed(dtype, rows, largest)
                .summed(DType.F32, rows * (16 + 4.0 * Bound.FUNCTION), largest)
                .summed(DType.F32, rows + 1, Bound.partial(rows + 1, 1.13));
        sides.check("biasGeluBackward dBias " + dtype, dBias, sum);

        sides.run((k, s) -> k.biasGeluBackward(s.of(dy), s.of(x), s.of(bias), s.of(dy), s.of(dBias)));
        sides.check("biasGeluBackward in place " + dtype, dy, backward);
        sides.run((k, s) -> k.biasGelu(s.of(x), s.of(bias), s.of(x)));
        sides.check("biasGelu in place " + dtype, x, forward);
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1, 1", "3, 17, 5, 7", "8, 64, 32, 16", "33, 128, 64, 48", "5, 66, 130, 257"})
    default void geluBetweenProductsAndItsGradient(long m, long n, long depth, long next) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                double deviation = 1 / Math.sqrt(depth);
                Twin x = sides.normal(dtype, 0, 1, m, depth);
                Twin w = sides.normal(dtype, 0, deviation, depth, n);
                Twin bias = sides.normal(dtype, 0, 1, n);
                Twin inner = sides.output(dtype, m, n);
                Twin y = sides.output(dtype, m, n);
                sides.run((k, s) -> k.linearGelu(s.of(x), s.of(w), s.of(bias), s.of(inner), s.of(y)));
                // |gelu'| < 1.13. What GELU takes is rounded to the type with the bias or without, and summed in F32;
                // devices may
                // approximate its tanh to the precision of the type.
                double largest = Bound.DEVIATIONS * Math.sqrt(2);
                double summed = Bound.partial(depth + 1, deviation) + Bound.DEVIATIONS;
                Bound pre = Bound.EXACT
                        .summed(dtype, 2, 1.13 * largest)
                        .summed(DType.F32, depth + 1, 1.13 * summed)
                        .summed(DType.F32, 8 + Bound.FUNCTION, largest);
                sides.check("linearGelu " + dtype, y, pre.rounded(dtype, 2));

                Twin dOut = sides.normal(dtype, 0, 1, m, next);
                Twin follows = sides.normal(dtype, 0, 1 / Math.sqrt(next), n, next);
                Twin dInner = sides.output(dtype, m, n);
                Twin dBias = sides.normal(DType.F32, 0, 1, n);
                sides.run((k, s) -> k.geluLinearBackward(
                        s.of(dOut), s.of(follows), s.of(inner), s.of(bias), s.of(dInner), s.of(dBias)));
                // |gelu''| < 0.8: the error of what GELU took, times a gradient, beside the errors of the gradient
                // itself.
                double gradient = Bound.DEVIATIONS;
                Bound one = Bound.EXACT
                        .summed(dtype, 2, 0.8 * largest * gradient)
                        .summed(dtype, 3, 1.13 * gradient)
                        .summed(DType.F32, depth + 1, 0.8 * summed * gradient)
                        .summed(DType.F32, next, 1.13 * Bound.partial(next, 1 / Math.sqrt(next)))
                        .summed(DType.F32, 16 + 4 * Bound.FUNCTION, 1.13 * gradient);
                sides.check("geluLinearBackward dInner " + dtype, dInner, one);
                Bound all = new Bound(one.relative(), m * one.absolute(), false)
                        .summed(DType.F32, m + 1, Bound.partial(m + 1, 1.13));
                sides.check("geluLinearBackward dBias " + dtype, dBias, all);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 0.5, 0", "17, 0.1, 5", "64, 0.9, 0", "1003, 0.2, 1099511627776", "1003, 0, 3"})
    default void dropoutZeroesWhatCounterRandomSays(int n, float rate, long first) {
        CounterRandom random = new CounterRandom(CounterRandom.key(3, n), first);
        Dropout dropout = new Dropout(rate, random);
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin x = sides.normal(dtype, 5, 0.5, n); // none is zero by itself
                Twin y = sides.output(dtype, n);
                sides.run((k, s) -> k.dropout(s.of(x), dropout, s.of(y)));
                sides.check("dropout " + dtype, y, Bound.EACH.rounded(dtype, 1).rounded(DType.F32, 2));
                double[] once = sides.tested(y);
                for (int i = 0; i < n; i++) {
                    assertEquals(random.uniform(i) < rate, once[i] == 0, "dropped, element " + i);
                }
                sides.run((k, s) -> k.dropout(s.of(x), dropout, s.of(x)));
                assertArrayEquals(once, sides.tested(x), "in place, the same bits");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1, 1", "2, 3, 5, 17", "3, 33, 7, 16", "1, 65, 257, 65"})
    default void embeddingAddsRowsOfTwoTables(long batch, long time, long vocabulary, long channels) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin tokens = sides.indices(vocabulary, batch, time);
                Twin tokenTable = sides.normal(dtype, 0, 1, vocabulary, channels);
                Twin positionTable = sides.normal(dtype, 0, 1, time + 2, channels);
                Twin y = sides.output(dtype, batch, time, channels);
                sides.run((k, s) -> k.embedding(s.of(tokens), s.of(tokenTable), s.of(positionTable), s.of(y)));
                sides.check("embedding " + dtype, y, Bound.EXACT.rounded(dtype, 1));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1, 1", "2, 3, 5, 17", "3, 33, 2, 16", "4, 65, 257, 65"})
    default void embeddingBackwardAddsInAFixedOrder(long batch, long time, long vocabulary, long channels) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin tokens = sides.indices(vocabulary, batch, time);
                Twin dy = sides.normal(dtype, 0, 1, batch, time, channels);
                Twin dTokens = sides.zeros(DType.F32, vocabulary, channels);
                Twin dPositions = sides.normal(DType.F32, 0, 1, time + 2, channels);
                sides.run((k, s) -> k.embeddingBackward(s.of(dy), s.of(tokens), s.of(dTokens), s.of(dPositions)));
                long terms = batch * time + 1;
                Bound bound = Bound.EXACT.summed(DType.F32, terms, Bound.partial(terms, 1));
                sides.check("embeddingBackward tokens " + dtype, dTokens, bound);
                sides.check("embeddingBackward positions " + dtype, dPositions, bound);

                double[] first = sides.tested(dTokens);
                sides.run((k, s) -> {
                    k.fill(s.of(dTokens), 0);
                    k.embeddingBackward(s.of(dy), s.of(tokens), s.of(dTokens), s.of(dPositions));
                });
                assertArrayEquals(first, sides.tested(dTokens), "a second time, the same bits");
            }
        }
    }
}
