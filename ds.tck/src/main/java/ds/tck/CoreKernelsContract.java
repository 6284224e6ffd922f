package ds.tck;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Rows;
import ds.api.CoreKernels.Unary;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.tck.SideBySide.Twin;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The core kernels on elements, and the matrix product. */
public interface CoreKernelsContract extends BackendContract {
    /** Values at which conversions go wrong: ties, signs of zero, the ends of the types, no numbers. */
    List<Double> SPECIAL = List.of(
            0.0,
            -0.0,
            1.0,
            -1.0,
            1 + 0x1p-8,
            1 + 3 * 0x1p-8,
            1 + 0x1p-11,
            1 + 3 * 0x1p-11,
            1 + 0x1p-8 + 0x1p-23,
            65504.0,
            65519.996,
            65520.0,
            -65520.0,
            0x1p-14,
            0x1p-24,
            0x1p-25,
            3 * 0x1p-25,
            0x1p-26,
            (double) Float.MAX_VALUE,
            (double) -Float.MAX_VALUE,
            0x1p-126,
            Double.POSITIVE_INFINITY,
            Double.NEGATIVE_INFINITY,
            Double.NaN,
            3.0e38,
            1.0 / 3,
            -2.0 / 3);

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 15, 16, 17, 33, 127, 1000})
    default void fillSetsEveryElement(long n) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType dtype : floats()) {
                Twin y = sides.output(dtype, n);
                sides.run((k, s) -> k.fill(s.of(y), -0.1));
                sides.check("fill " + dtype, y, Bound.EXACT);
            }
            Twin integers = sides.output(DType.I32, n);
            sides.run((k, s) -> k.fill(s.of(integers), -3));
            sides.check("fill I32", integers, Bound.EXACT);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 15, 17, 32, 65, 1003})
    default void copyConvertsToNearestEven(int n) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType from : floats()) {
                for (DType to : floats()) {
                    Twin x = sides.normal(from, 0, 10, n);
                    Twin y = sides.output(to, n);
                    sides.run((k, s) -> k.copy(s.of(x), s.of(y)));
                    sides.check("copy " + from + " to " + to, y, Bound.EXACT);
                }
            }
            Twin x = sides.indices(50000, n);
            Twin y = sides.output(DType.I32, n);
            sides.run((k, s) -> k.copy(s.of(x), s.of(y)));
            sides.check("copy I32", y, Bound.EXACT);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 7, 19})
    default void copyConvertsSpecialValues(int repeats) { // so that each comes to lie in vectors and in tails
        double[] values = new double[SPECIAL.size() * repeats];
        Arrays.setAll(values, i -> SPECIAL.get(i % SPECIAL.size()));
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType from : floats()) {
                for (DType to : floats()) {
                    Twin x = sides.values(from, values, values.length);
                    Twin y = sides.output(to, values.length);
                    sides.run((k, s) -> k.copy(s.of(x), s.of(y)));
                    sides.check("copy " + from + " to " + to, y, Bound.EXACT);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "3, 5", "4, 16", "7, 33", "2, 64"})
    default void copyRowsLeavesTheGaps(long rows, long columns) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType from : floats()) {
                for (DType to : floats()) {
                    Twin x = sides.normal(from, 0, 1, rows, 3 * columns);
                    Twin y = sides.constant(to, 9, rows, columns + 2);
                    sides.run((k, s) -> k.copyRows(
                            new Rows(s.of(x), columns, 3 * columns), new Rows(s.of(y), 1, columns + 2), rows, columns));
                    sides.check("copyRows " + from + " to " + to, y, Bound.EXACT);
                }
            }
        }
    }

    /** A sum of k products, rounded once: to the output's type. */
    @ParameterizedTest
    @CsvSource({"1, 1, 1", "1, 17, 5", "3, 1, 2", "2, 2, 65", "7, 65, 33", "64, 64, 64", "17, 130, 80", "65, 33, 129"})
    default void matmulOfEveryOrientation(long m, long n, long k) {
        for (DType in : floats()) {
            for (DType out : in == DType.F32 ? List.of(in) : List.of(in, DType.F32)) {
                for (int orientation = 0; orientation < 4; orientation++) {
                    for (float beta = 0; beta <= 1; beta++) {
                        matmul(new long[] {m, n, k}, new DType[] {in, out}, orientation, beta);
                    }
                }
            }
        }
    }

    private void matmul(long[] mnk, DType[] types, int orientation, float beta) {
        boolean left = (orientation & 1) != 0;
        boolean right = (orientation & 2) != 0;
        long m = mnk[0];
        long n = mnk[1];
        long depth = mnk[2];
        try (SideBySide sides = new SideBySide(backend())) {
            Twin a = left ? sides.normal(types[0], 0, 1, depth, m) : sides.normal(types[0], 0, 1, m, depth);
            Twin b = right ? sides.normal(types[0], 0, 1, n, depth) : sides.normal(types[0], 0, 1, depth, n);
            Twin c = beta == 0 ? sides.output(types[1], m, n) : sides.normal(types[1], 0, 1, m, n);
            sides.run((k, s) -> k.matmul(new Operand(s.of(a), left), new Operand(s.of(b), right), s.of(c), beta));
            Bound bound = Bound.EXACT.rounded(types[1], 1).summed(DType.F32, depth + 2, Bound.partial(depth + 1, 1));
            sides.check("matmul " + types[0] + " to " + types[1] + ", transposed " + left + " " + right, c, bound);
        }
    }

    @ParameterizedTest
    @EnumSource(Unary.class)
    default void unaryOfEverySizeAndType(Unary op) {
        for (long n : new long[] {1, 3, 16, 17, 100, 1001}) {
            for (DType dtype : floats()) {
                unary(op, n, dtype, dtype);
                unary(op, n, dtype, DType.F32);
                unary(op, n, DType.F32, dtype);
            }
        }
    }

    private void unary(Unary op, long n, DType from, DType to) {
        try (SideBySide sides = new SideBySide(backend())) {
            Twin x = sides.normal(from, 0, 2, n);
            if (op == Unary.LOG || op == Unary.SQRT || op == Unary.RECIPROCAL) { // positive, and none near zero
                sides.runReference((k, s) -> k.unary(Unary.EXP, s.of(x), s.of(x)));
                sides.share(x);
            }
            Twin y = sides.output(to, n);
            sides.run((k, s) -> k.unary(op, s.of(x), s.of(y)));
            // tanh near 0 and log near 1 have an absolute error; the others are good to a few ulp of each element.
            Bound begin = op == Unary.TANH || op == Unary.LOG ? Bound.EXACT.summed(DType.F32, 1, 1) : Bound.EACH;
            Bound bound = begin.rounded(DType.F32, Bound.FUNCTION).rounded(to, 1);
            sides.check(op + " " + from + " to " + to, y, bound);
            if (from == to) {
                sides.run((k, s) -> k.unary(op, s.of(x), s.of(x)));
                sides.check(op + " in place " + from, x, bound);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 17, 64})
    default void functionsHoldAtTheEndsOfTheirRange(int n) {
        double[] exp = {-1e4, -200, -87, 0, 1e-6, 88, 200, 1e4};
        double[] tanh = {-1e4, -30, -9, -1e-3, 0, 1e-3, 9, 1e30};
        double[] log = {0x1p-126, 1e-30, 1 - 0x1p-20, 1, 1 + 0x1p-20, 1e10, 3e38, 2};
        extremes(Unary.EXP, exp, n);
        extremes(Unary.TANH, tanh, n);
        extremes(Unary.LOG, log, n);
    }

    private void extremes(Unary op, double[] arguments, int n) {
        double[] values = new double[n * arguments.length];
        Arrays.setAll(values, i -> arguments[i % arguments.length]);
        try (SideBySide sides = new SideBySide(backend())) {
            Twin x = sides.values(DType.F32, values, values.length);
            sides.run((k, s) -> k.unary(op, s.of(x), s.of(x)));
            sides.check(
                    op + " at its ends",
                    x,
                    Bound.EACH.rounded(DType.F32, Bound.FUNCTION).summed(DType.F32, 1, op == Unary.EXP ? 0 : 1));
        }
    }

    @ParameterizedTest
    @EnumSource(Binary.class)
    default void binaryWithEveryBroadcastAndType(Binary op) {
        for (Broadcast broadcast : Broadcast.values()) {
            for (long[] dims : new long[][] {{1, 1}, {1, 17}, {5, 1}, {3, 16}, {7, 33}, {2, 3, 65}}) {
                for (DType dtype : floats()) {
                    binary(op, broadcast, dims, new DType[] {dtype, dtype, dtype});
                    binary(op, broadcast, dims, new DType[] {DType.F32, dtype, dtype});
                    binary(op, broadcast, dims, new DType[] {dtype, DType.F32, DType.F32});
                }
            }
        }
    }

    private void binary(Binary op, Broadcast broadcast, long[] dims, DType[] types) {
        String what = op + " " + broadcast + " " + Arrays.toString(types);
        try (SideBySide sides = new SideBySide(backend())) {
            Twin a = sides.normal(types[0], 0, 1, dims);
            long columns = a.tested().shape().columns();
            Twin b = sides.normal(
                    types[1],
                    op == Binary.DIVIDE ? 20 : 0, // none near zero
                    1,
                    switch (broadcast) {
                        case NONE -> dims;
                        case SCALAR -> new long[] {1};
                        case ROW -> new long[] {columns};
                        case COLUMN -> new long[] {a.tested().shape().rows()};
                    });
            if (op == Binary.GREATER_EQUAL && broadcast == Broadcast.NONE) { // some equal ones
                Twin half = a.slice(0, (a.tested().elements() + 1) / 2);
                sides.runReference((k, s) ->
                        k.copy(s.of(half), s.of(b.slice(0, half.tested().elements()))));
                sides.share(b);
            }
            Twin y = sides.output(types[2], dims);
            sides.run((k, s) -> k.binary(op, s.of(a), s.of(b), broadcast, s.of(y)));
            Bound bound = Bound.EACH.rounded(DType.F32, 2).rounded(types[2], 1);
            sides.check(what, y, bound);
            if (types[0] == types[2]) {
                sides.run((k, s) -> k.binary(op, s.of(a), s.of(b), broadcast, s.of(a)));
                sides.check(what + " in place", a, bound);
            }
            if (types[1] == types[2] && broadcast == Broadcast.NONE) {
                sides.share(a);
                sides.run((k, s) -> k.binary(op, s.of(a), s.of(b), broadcast, s.of(b)));
                sides.check(what + " into the second", b, bound);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 3, 16, 17, 65, 1001})
    default void axpbyScalesAndAdds(long n) {
        try (SideBySide sides = new SideBySide(backend())) {
            for (DType from : floats()) {
                for (DType to : floats()) {
                    Twin x = sides.normal(from, 0, 1, n);
                    Twin scaled = sides.output(to, n); // NaN: must not be read
                    Twin sum = sides.normal(to, 0, 1, n);
                    sides.run((k, s) -> k.axpby(0.3, s.of(x), 0, s.of(scaled)));
                    sides.run((k, s) -> k.axpby(-1.7, s.of(x), 0.9, s.of(sum)));
                    // The scalars may be rounded to F32, and the two terms may cancel.
                    Bound bound = Bound.EACH.rounded(to, 1).summed(DType.F32, 3, 2.6 * Bound.DEVIATIONS);
                    sides.check("axpby " + from + " to " + to + ", beta 0", scaled, bound);
                    sides.check("axpby " + from + " to " + to, sum, bound);
                }
                Twin same = sides.normal(from, 0, 1, n);
                sides.run((k, s) -> k.axpby(0.25, s.of(same), 0.5, s.of(same)));
                sides.check("axpby in place " + from, same, Bound.EACH.rounded(from, 1));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 12345, 1L << 40, -5})
    default void uniformIsCounterRandom(long first) {
        CounterRandom random = new CounterRandom(CounterRandom.key(7, first), first);
        for (long n : new long[] {1, 15, 16, 17, 1003}) {
            for (DType dtype : floats()) {
                try (SideBySide sides = new SideBySide(backend())) {
                    Twin y = sides.output(dtype, n);
                    sides.run((k, s) -> k.uniform(random, s.of(y)));
                    sides.check("uniform " + dtype, y, Bound.EXACT);
                }
            }
        }
    }
}
