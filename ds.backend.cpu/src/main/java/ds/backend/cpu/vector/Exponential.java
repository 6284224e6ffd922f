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

    /** {@return e^x: 0 where x is below -87.33, infinity where it is above 88.37, NaN for NaN} */
    static FloatVector of(FloatVector x) {
        FloatVector rounded =
                x.fma(FloatVector.broadcast(Lanes.F32, LOG2_E), FloatVector.broadcast(Lanes.F32, ROUNDER));
        FloatVector nearest = rounded.sub(ROUNDER);
        FloatVector r = nearest.fma(FloatVector.broadcast(Lanes.F32, -LN2_UPPER), x);
        r = nearest.fma(FloatVector.broadcast(Lanes.F32, -LN2_LOWER), r);
        FloatVector q = r.mul(0x1.6dbc68p-10f).add(0x1.124148p-7f);
        q = q.fma(r, FloatVector.broadcast(Lanes.F32, 0x1.555454p-5f));
        q = q.fma(r, FloatVector.broadcast(Lanes.F32, 0x1.555486p-3f));
        q = q.fma(r, FloatVector.broadcast(Lanes.F32, 0.5f));
        FloatVector p = q.fma(r.mul(r), r).add(1f);
        FloatVector power =
                rounded.reinterpretAsInts().add(127).lanewise(LSHL, 23).reinterpretAsFloats();
        return p.mul(power).blend(0f, x.compare(LT, SMALLEST)).blend(Float.POSITIVE_INFINITY, x.compare(GT, LARGEST));
    }

    /**
     * {@code x[i] = e^(x[i] - shift)} for i in [at, at + n), as {@link #of}.
     *
     * @param n a multiple of {@link Lanes#COUNT}
     * @return the sum of the results
     */
    static float run(float[] x, int at, int n, float shift) {
        FloatVector sum = FloatVector.zero(Lanes.F32);
        for (int i = at; i < at + n; i += Lanes.COUNT) {
            FloatVector e = of(FloatVector.fromArray(Lanes.F32, x, i).sub(shift));
            e.intoArray(x, i);
            sum = sum.add(e);
        }
        return Lanes.sum(sum);
    }
}
