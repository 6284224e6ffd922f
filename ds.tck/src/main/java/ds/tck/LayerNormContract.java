package ds.tck;

import ds.api.DType;
import ds.api.LayerNorm;
import ds.tck.SideBySide.Side;
import ds.tck.SideBySide.Twin;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Layer normalisation, alone and after a residual, and its backward pass. */
public interface LayerNormContract extends BackendContract {
    /** As in GPT-2. */
    float EPSILON = 1e-5f;

    /** The operands of one normalisation, on both sides. */
    record Norm(Twin weight, Twin bias, Twin mean, Twin rstd) {
        static Norm of(SideBySide sides, DType dtype, long rows, long columns) {
            return new Norm(
                    sides.normal(dtype, 1, 0.3, columns),
                    sides.normal(dtype, 0, 0.3, columns),
                    sides.output(DType.F32, rows),
                    sides.output(DType.F32, rows));
        }

        LayerNorm on(Side s) {
            return new LayerNorm(s.of(weight), s.of(bias), s.of(mean), s.of(rstd), EPSILON);
        }

        /**
         * {@return the bound of y}: n roundings of a sum whose partial sums are at most n times the largest input make the
         * mean err by that input times n roundings, and y by that times rstd; the root of n squares errs by n / 2 roundings.
         */
        Bound bound(Twin x, DType dtype) {
            long n = weight.tested().elements();
            return Bound.EXACT
                    .rounded(dtype, 1)
                    .rounded(DType.F32, n / 2.0 + 16)
                    .summed(DType.F32, n + 4.0, x.largest() * rstd.largest() * weight.largest());
        }

        void checkStatistics(SideBySide sides, Twin x) {
            double n = weight.tested().elements();
            double error = (n + 4) * x.largest();
            sides.check("mean", mean, Bound.EXACT.summed(DType.F32, 1, error));
            // rstd' = rstd + d: relative error n / 2 roundings, and (error of the mean · rstd)² / 2.
            double shift = Bound.epsilon(DType.F32) * error * rstd.largest();
            Bound bound = Bound.EACH.rounded(DType.F32, n / 2 + 16);
            sides.check("rstd", rstd, new Bound(bound.relative() + shift * shift, 0, true));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1, 2, 0, 1",
        "3, 17, 0, 1",
        "5, 64, 0.5, 1",
        "7, 65, -2, 3",
        "2, 768, 0, 1",
        "3, 1001, 0, 0.02",
        "2, 65, 0, 1e4",
        "3, 4, 1e3, 1"
    })
    default void rowsAreNormalised(long rows, long columns, double mean, double deviation) {
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                normalise(sides, sides.normal(dtype, mean, deviation, rows, columns));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"3, 17", "2, 65", "5, 256"})
    default void varianceIsThatOfTheCentredRow(long rows, long columns) {
        try (SideBySide sides = new SideBySide(backend())) {
            normalise(sides, sides.normal(DType.F32, 1e4, 1, rows, columns)); // E[x²] − mean² would lose everything
        }
    }

    @ParameterizedTest
    @CsvSource({"3, 17", "1, 64"})
    default void constantRowBecomesTheBias(long rows, long columns) {
        try (SideBySide sides = new SideBySide(backend())) {
            normalise(sides, sides.constant(DType.F32, 0.5, rows, columns));
        }
    }

    private void normalise(SideBySide sides, Twin x) {
        DType dtype = x.tested().dtype();
        Norm norm = Norm.of(
                sides, dtype, x.tested().shape().rows(), x.tested().shape().columns());
        Twin y = sides.output(
                dtype, x.tested().shape().rows(), x.tested().shape().columns());
        sides.run((k, s) -> k.layerNorm(s.of(x), norm.on(s), s.of(y)));
        norm.checkStatistics(sides, x);
        sides.check("layerNorm " + dtype, y, norm.bound(x, dtype));
    }

    @ParameterizedTest
    @CsvSource({"1, 2", "3, 17", "5, 64", "7, 65", "2, 768"})
    default void residualIsAddedThenNormalised(long rows, long columns) {
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                Norm norm = Norm.of(sides, dtype, rows, columns);
                Twin x = sides.normal(dtype, 0, 1, rows, columns);
                Twin residual = sides.normal(dtype, 1, 2, rows, columns);
                Twin sum = sides.output(dtype, rows, columns);
                Twin y = sides.output(dtype, rows, columns);
                sides.run((k, s) -> k.residualLayerNorm(s.of(x), s.of(residual), s.of(sum), norm.on(s), s.of(y)));
                checkResidual("", sides, norm, sum, y);
                sides.run((k, s) -> k.residualLayerNorm(s.of(x), s.of(residual), s.of(x), norm.on(s), s.of(y)));
                checkResidual(" into x", sides, norm, x, y);
                sides.share(x);
                sides.run((k, s) -> k.residualLayerNorm(s.of(x), s.of(residual), s.of(residual), norm.on(s), s.of(y)));
                checkResidual(" into residual", sides, norm, residual, y);
            }
        }
    }

    private static void checkResidual(String where, SideBySide sides, Norm norm, Twin sum, Twin y) {
        DType dtype = sum.tested().dtype();
        sides.check("sum" + where, sum, Bound.EACH.rounded(dtype, 1));
        // What is normalised may be the sum before or after it was rounded to the type.
        Bound bound = norm.bound(sum, dtype)
                .summed(
                        dtype,
                        1,
                        sum.largest() * norm.rstd().largest() * norm.weight().largest());
        sides.check("residualLayerNorm" + where + " " + dtype, y, bound);
    }

    @ParameterizedTest
    @CsvSource({"1, 2", "3, 17", "5, 64", "33, 65", "2, 768"})
    default void gradientsAreAddedTo(long rows, long columns) {
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                Norm norm = Norm.of(sides, dtype, rows, columns);
                Twin x = sides.normal(dtype, 0.5, 1, rows, columns);
                Twin dy = sides.normal(dtype, 0, 1, rows, columns);
                Twin dx = sides.normal(dtype, 0, 1, rows, columns);
                addGradients(sides, norm, x, dy, dx);
            }
        }
    }

    /** As in training, where memory of all operands is aligned: for kernels that load much of a row at once, and have several rows. */
    @ParameterizedTest
    @CsvSource({"1, 8", "300, 64", "70, 768", "19, 2056", "9, 4096", "3, 8200"})
    default void gradientsOfAlignedRowsAreAddedTo(long rows, long columns) {
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                Norm norm = Norm.of(sides, dtype, rows, columns);
                Twin all = sides.normal(dtype, 0.5, 1, 3 * rows, columns);
                addGradients(
                        sides,
                        norm,
                        all.slice(0, rows, columns),
                        all.slice(rows * columns, rows, columns),
                        all.slice(2 * rows * columns, rows, columns));
            }
        }
    }

    private static void addGradients(SideBySide sides, Norm norm, Twin x, Twin dy, Twin dx) {
        long columns = x.tested().shape().columns();
        Twin dWeight = sides.normal(DType.F32, 0, 1, columns);
        Twin dBias = sides.normal(DType.F32, 0, 1, columns);
        sides.runReference((k, s) -> k.layerNorm(s.of(x), norm.on(s), s.of(dx)));
        sides.share(norm.mean());
        sides.share(norm.rstd());
        sides.share(dx);
        sides.run((k, s) -> k.layerNormBackward(
                s.of(dy), s.of(x), norm.on(s), new LayerNorm.Gradients(s.of(dWeight), s.of(dBias)), s.of(dx)));
        checkGradients(sides, norm, new Twin[] {x, dy, dx, dWeight, dBias});
    }

    private static void checkGradients(SideBySide sides, Norm norm, Twin[] t) {
        Twin x = t[0];
        Twin dy = t[1];
        long rows = x.tested().shape().rows();
        long columns = x.tested().shape().columns();
        DType dtype = x.tested().dtype();
        double rstd = norm.rstd().largest();
        double g = dy.largest() * norm.weight().largest();
        double normalised = 2 * x.largest() * rstd; // |x − mean| · rstd
        // Each mean over n terms errs by n roundings of its largest term: g, or g · n; the latter counts times n again.
        double terms = g * (1 + normalised * normalised) * rstd;
        Bound dx = Bound.EXACT.rounded(dtype, 1).summed(DType.F32, columns + 16.0, terms);
        sides.check("layerNormBackward dx " + dtype, t[2], dx);
        double partial = Bound.DEVIATIONS + rows * dy.largest();
        sides.check("dBias " + dtype, t[4], Bound.EXACT.summed(DType.F32, rows + 1.0, partial));
        Bound weight = Bound.EXACT.summed(DType.F32, rows + 8.0, Bound.DEVIATIONS + (partial + 1) * normalised);
        sides.check("dWeight " + dtype, t[3], weight);
    }
}
