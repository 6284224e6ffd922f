package ds.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.CoreKernels.Reduction;
import ds.api.DType;
import ds.tck.SideBySide.Twin;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The core kernels that reduce, gather and scatter rows. */
public interface RowKernelsContract extends BackendContract {
    @ParameterizedTest
    @CsvSource({"1, 1", "1, 17", "5, 1", "3, 16", "7, 33", "2, 1001", "129, 65"})
    default void rowsAndColumnsAreReduced(long rows, long columns) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin x = sides.normal(dtype, -3, 1, rows, columns);
                Twin sums = sides.output(DType.F32, rows);
                Twin maxima = sides.output(DType.F32, rows);
                sides.run((k, s) -> {
                    k.reduceRows(Reduction.SUM, s.of(x), s.of(sums));
                    k.reduceRows(Reduction.MAX, s.of(x), s.of(maxima));
                });
                sides.check("row sums " + dtype, sums, Bound.EXACT.summed(DType.F32, columns, 5.0 * columns));
                sides.check("row maxima " + dtype, maxima, Bound.EXACT);

                Twin fresh = sides.output(DType.F32, columns);
                Twin added = sides.normal(DType.F32, 0, 1, columns);
                sides.run((k, s) -> {
                    k.sumColumns(s.of(x), s.of(fresh), 0);
                    k.sumColumns(s.of(x), s.of(added), 1);
                });
                Bound bound = Bound.EXACT.summed(DType.F32, rows + 1, 5.0 * rows + Bound.DEVIATIONS);
                sides.check("column sums " + dtype, fresh, bound);
                sides.check("column sums added " + dtype, added, bound);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "5, 3, 17", "40, 9, 16", "7, 11, 65"})
    default void rowsAreGathered(long count, long rows, long columns) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin table = sides.normal(dtype, 0, 1, rows, columns);
                Twin index = sides.indices(rows, count);
                Twin same = sides.output(dtype, count, columns);
                Twin wide = sides.output(DType.F32, count, columns);
                sides.run((k, s) -> {
                    k.gatherRows(s.of(table), s.of(index), s.of(same));
                    k.gatherRows(s.of(table), s.of(index), s.of(wide));
                });
                sides.check("gatherRows " + dtype, same, Bound.EXACT);
                sides.check("gatherRows " + dtype + " to F32", wide, Bound.EXACT);
            }
        }
    }

    /** As two ranks have a table, whose boundary is anywhere in a row: each gets its part, and 0. */
    @ParameterizedTest
    @CsvSource({"1, 1, 1", "5, 3, 17", "40, 9, 16", "7, 11, 65", "300, 40, 768"})
    default void rowsOfAPartAreZeroOutside(long count, long rows, long columns) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin table = sides.normal(dtype, 3, 1, rows, columns);
                Twin index = sides.indices(rows, count);
                Twin front = sides.normal(dtype, 3, 1, count, columns);
                Twin back = sides.normal(DType.F32, 3, 1, count, columns);
                long middle = Math.ceilDiv(rows * columns, 2);
                sides.run((k, s) -> {
                    k.gatherRowsWithin(s.of(table), 0, middle, s.of(index), s.of(front));
                    k.gatherRowsWithin(s.of(table), middle, rows * columns, s.of(index), s.of(back));
                });
                sides.check("gatherRowsWithin " + dtype, front, Bound.EXACT);
                sides.check("gatherRowsWithin " + dtype + " to F32", back, Bound.EXACT);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "5, 3, 17", "40, 9, 16", "7, 11, 65", "300, 40, 768"})
    default void rowsArePutBackWhereTheyWereTaken(long count, long rows, long columns) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin table = sides.normal(dtype, 0, 1, rows, columns);
                Twin index = sides.indices(rows, count);
                Twin some = sides.output(dtype, count, columns); // indices repeat, and so do these rows
                Twin wide = sides.normal(DType.F32, 0, 1, rows, columns);
                Twin narrow = sides.normal(dtype, 3, 1, rows, columns);
                sides.run((k, s) -> {
                    k.gatherRows(s.of(table), s.of(index), s.of(some));
                    k.scatterRows(s.of(some), s.of(index), s.of(wide));
                    k.scatterRows(s.of(some), s.of(index), s.of(narrow));
                });
                sides.check("scatterRows " + dtype, narrow, Bound.EXACT);
                sides.check("scatterRows " + dtype + " to F32", wide, Bound.EXACT);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "5, 3, 17", "300, 4, 16", "77, 11, 65", "64, 1, 5"})
    default void rowsAreAddedInAFixedOrder(long count, long rows, long columns) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin x = sides.normal(dtype, 0, 1, count, columns);
                Twin index = sides.indices(rows, count);
                Twin table = sides.zeros(DType.F32, rows, columns);
                Twin again = sides.zeros(DType.F32, rows, columns);
                sides.run((k, s) -> {
                    k.scatterAddRows(s.of(x), s.of(index), s.of(table));
                    k.scatterAddRows(s.of(x), s.of(index), s.of(again));
                });
                Bound bound = Bound.EXACT.summed(DType.F32, count, Bound.partial(count, 1));
                sides.check("scatterAddRows " + dtype, table, bound);
                assertArrayEquals(sides.tested(table), sides.tested(again), "a second time, the same bits");
            }
        }
    }

    /** In F32, from what the table holds on, in the order of i: no other order gives these bits. */
    @ParameterizedTest
    @CsvSource({"1, 1, 5", "300, 7, 4", "257, 300, 12", "5003, 6007, 3", "4100, 61, 8"})
    default void rowsAreAddedOneAfterTheOther(int count, int rows, int columns) {
        for (DType dtype : floats()) {
            try (SideBySide sides = new SideBySide(backend())) {
                Twin x = sides.normal(dtype, 0, 1, count, columns);
                double[] same = new double[count];
                double[] descending = new double[count]; // all different if there are as many rows
                Arrays.setAll(same, i -> rows - 1);
                Arrays.setAll(descending, i -> Math.floorMod(-1 - i, rows));
                List<Twin> indices = List.of(
                        sides.indices(rows, count),
                        sides.values(DType.I32, same, count),
                        sides.values(DType.I32, descending, count));
                for (Twin index : indices) {
                    Twin table = sides.normal(DType.F32, 0, 1, rows, columns);
                    double[] expected = addedInOrder(sides, x, index, table);
                    sides.run((k, s) -> k.scatterAddRows(s.of(x), s.of(index), s.of(table)));
                    sides.checkExactly("scatterAddRows " + dtype, expected, table);
                    Bound bound = Bound.EXACT.summed(DType.F32, count + 1.0, Bound.partial(count + 1, 1));
                    sides.check("scatterAddRows " + dtype, table, bound);
                }
            }
        }
    }

    private static double[] addedInOrder(SideBySide sides, Twin x, Twin index, Twin table) {
        double[] added = sides.tested(x);
        double[] rows = sides.tested(index);
        double[] sums = sides.tested(table);
        int columns = Math.toIntExact(table.tested().shape().columns());
        for (int i = 0; i < rows.length; i++) {
            int row = (int) rows[i];
            for (int c = 0; c < columns; c++) { // F64 has enough digits for a sum to round to that of F32
                sums[row * columns + c] = (float) (sums[row * columns + c] + added[i * columns + c]);
            }
        }
        return sums;
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 3, 16, 17, 1001, 4099})
    default void squaresAreSummedInF64(long n) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin x = sides.normal(dtype, 0, 1, n);
                Twin y = sides.constant(DType.F64, 2.5, 1);
                sides.run((k, s) -> k.sumOfSquares(s.of(x), s.of(y)));
                sides.check("sumOfSquares " + dtype, y, Bound.EACH.rounded(DType.F64, n + 1.0));
            }
            Twin large = sides.constant(DType.F32, 1e30, n); // whose square F32 cannot hold
            Twin y = sides.zeros(DType.F64, 1);
            sides.run((k, s) -> k.sumOfSquares(s.of(large), s.of(y)));
            sides.check("sumOfSquares of large numbers", y, Bound.EACH.rounded(DType.F64, n + 1.0));
        }
    }

    @Test
    default void squaresKeepNanAndInfinity() {
        for (int n : new int[] {1, 16, 37}) {
            for (int at : new int[] {0, n / 2, n - 1}) {
                for (DType dtype : floats()) {
                    assertTrue(Double.isNaN(squares(dtype, n, at, Double.NaN)), "NaN at " + at + " of " + n);
                    assertEquals(
                            Double.POSITIVE_INFINITY,
                            squares(dtype, n, at, Double.NEGATIVE_INFINITY),
                            "infinity at " + at + " of " + n);
                }
            }
        }
    }

    private double squares(DType dtype, int n, int at, double value) {
        double[] values = new double[n];
        values[at] = value;
        try (SideBySide sides = new SideBySide(backend())) {
            Twin x = sides.values(dtype, values, n);
            Twin y = sides.zeros(DType.F64, 1);
            sides.run((k, s) -> k.sumOfSquares(s.of(x), s.of(y)));
            return sides.tested(y)[0];
        }
    }
}
