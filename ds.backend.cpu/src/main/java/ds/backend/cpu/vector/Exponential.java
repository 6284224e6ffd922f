package ds.backend.cpu.vector;

import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import jdk.incubator.vector.FloatVector;

/**
 * e to the x: {@code 2^n · e^r} with n the integer nearest to {@code x / ln 2}, r in [-ln 2 / 2, ln 2 / 2] by subtraction in two
 * parts (Cody &amp; Waite, Software Manual for the Elementary Functions, 1980), and e^r by a polynomial of degree 6, minimax
 * in the relative sense within 5e-9 (coefficients by a reweighted least-squares fit, then rounded to F32). The relative
 * error is at most 2^-23; the bits are the same whatever the vectors' width.
 */
final class Exponential {
    private static final float SMALLEST = -87.33f; // below it e^x is subnormal: 0 here
    private static final float LARGEST = 88.37f; // above it n is 128: infinite
    private static final float LOG2_E = 0x1.715476p0f;
    private static final float LN2_UPPER = 0x1.63p-1f; // 9 bits: n times it is exact
    private static final float LN2_LOWER = -0x1.bd0106p-13f;
    private static final float ROUNDER = 0x1.8p23f; // adding it leaves the nearest integer in the lowest bits

    private Exponential() {}

    /**
     * {@code x[i] = e^(x[i] - shift)} for i in [at, at + n): 0 where the exponent is below -87.33, infinity where it is above
     * 88.37, NaN for NaN.
     *
     * @param n a multiple of {@link Lanes#COUNT}
     * @return the sum of the results
     */
    static float run(float[] x, int at, int n, float shift) {
        FloatVector zero = FloatVector.zero(Lanes.F32);
        FloatVector infinite = FloatVector.broadcast(Lanes.F32, Float.POSITIVE_INFINITY);
        FloatVector log2e = FloatVector.broadcast(Lanes.F32, LOG2_E);
        FloatVector rounder = FloatVector.broadcast(Lanes.F32, ROUNDER);
        FloatVector upper = FloatVector.broadcast(Lanes.F32, -LN2_UPPER);
        FloatVector lower = FloatVector.broadcast(Lanes.F32, -LN2_LOWER);
        FloatVector c5 = FloatVector.broadcast(Lanes.F32, 0x1.124148p-7f);
        FloatVector c4 = FloatVector.broadcast(Lanes.F32, 0x1.555454p-5f);
        FloatVector c3 = FloatVector.broadcast(Lanes.F32, 0x1.555486p-3f);
        FloatVector c2 = FloatVector.broadcast(Lanes.F32, 0.5f);
        FloatVector sum = zero;
        for (int i = at; i < at + n; i += Lanes.COUNT) {
            FloatVector v = FloatVector.fromArray(Lanes.F32, x, i).sub(shift);
            FloatVector rounded = v.fma(log2e, rounder);
            FloatVector nearest = rounded.sub(rounder);
            FloatVector r = nearest.fma(lower, nearest.fma(upper, v));
            FloatVector q = r.mul(0x1.6dbc68p-10f).add(c5);
            q = q.fma(r, c4).fma(r, c3).fma(r, c2);
            FloatVector p = q.fma(r.mul(r), r).add(1f);
            FloatVector power =
                    rounded.reinterpretAsInts().add(127).lanewise(LSHL, 23).reinterpretAsFloats();
            FloatVector e = p.mul(power).blend(zero, v.compare(LT, SMALLEST)).blend(infinite, v.compare(GT, LARGEST));
            e.intoArray(x, i);
            sum = sum.add(e);
        }
        return Lanes.sum(sum);
    }
}
