package ds.backend.cpu.vector;

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

    /** {@return the largest of x[at .. at + n), or NaN if there is one}; n is a multiple of {@link Lanes#COUNT} */
    static float max(float[] x, int at, int n) {
        FloatVector max = FloatVector.fromArray(Lanes.F32, x, at);
        for (int i = at + Lanes.COUNT; i < at + n; i += Lanes.COUNT) {
            max = max.max(FloatVector.fromArray(Lanes.F32, x, i));
        }
        return max.reduceLanes(MAX);
    }
}
