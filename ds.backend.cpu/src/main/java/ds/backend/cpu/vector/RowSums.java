package ds.backend.cpu.vector;

import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.MAX;

import jdk.incubator.vector.FloatVector;

/** Sums and maxima over arrays of whole vectors; the order of summation depends on the length and the vectors' width alone. */
final class RowSums {
    private RowSums() {}

    /** {@return the sum of x[0 .. n)}; n is a multiple of {@link Lanes#COUNT} */
    static float sum(float[] x, int n) {
        FloatVector even = FloatVector.zero(Lanes.F32);
        FloatVector odd = FloatVector.zero(Lanes.F32);
        int i = 0;
        for (; i < n - Lanes.COUNT; i += 2 * Lanes.COUNT) {
            even = even.add(FloatVector.fromArray(Lanes.F32, x, i));
            odd = odd.add(FloatVector.fromArray(Lanes.F32, x, i + Lanes.COUNT));
        }
        for (; i < n; i += Lanes.COUNT) {
            even = even.add(FloatVector.fromArray(Lanes.F32, x, i));
        }
        return Lanes.sum(even.add(odd));
    }

    /** {@return the sum of x[at + i] · y[i] over [0, n)}; n is a multiple of {@link Lanes#COUNT} */
    static float dot(float[] x, int at, float[] y, int n) {
        FloatVector sum = FloatVector.zero(Lanes.F32);
        for (int i = 0; i < n; i += Lanes.COUNT) {
            sum = FloatVector.fromArray(Lanes.F32, x, at + i).fma(FloatVector.fromArray(Lanes.F32, y, i), sum);
        }
        return Lanes.sum(sum);
    }

    /** {@return the largest of x[at .. at + n), NaN not counted}; n is a multiple of {@link Lanes#COUNT} */
    static float max(float[] x, int at, int n) {
        FloatVector lowest = FloatVector.broadcast(Lanes.F32, Float.NEGATIVE_INFINITY);
        FloatVector a = lowest;
        FloatVector b = lowest;
        FloatVector c = lowest;
        FloatVector d = lowest;
        int i = at;
        for (int end = at + n - 3 * Lanes.COUNT;
                i < end;
                i += 4 * Lanes.COUNT) { // chains that need not wait for each other
            a = larger(a, FloatVector.fromArray(Lanes.F32, x, i));
            b = larger(b, FloatVector.fromArray(Lanes.F32, x, i + Lanes.COUNT));
            c = larger(c, FloatVector.fromArray(Lanes.F32, x, i + 2 * Lanes.COUNT));
            d = larger(d, FloatVector.fromArray(Lanes.F32, x, i + 3 * Lanes.COUNT));
        }
        for (; i < at + n; i += Lanes.COUNT) {
            a = larger(a, FloatVector.fromArray(Lanes.F32, x, i));
        }
        return larger(larger(a, b), larger(c, d)).reduceLanes(MAX);
    }

    /** Not {@code max}, which takes five instructions to do right by NaN and -0. */
    static FloatVector larger(FloatVector max, FloatVector x) {
        return max.blend(x, x.compare(GT, max));
    }
}
