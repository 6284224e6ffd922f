package ds.bench.breakdown;

import ds.bench.measure.AllProcessors;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * F32 values of e to the x per second on all processors: Java's own vector function, and the cheapest polynomial that is good to
 * 24 bits, whichever is faster, on 16 KiB that stay in the first cache.
 */
final class ExponentialRate {
    private static final VectorSpecies<Float> LANES = FloatVector.SPECIES_PREFERRED;
    private static final int ELEMENTS = 1 << 12;
    private static final int PASSES = 2000;
    private static final float LOG2_E = 1.442695f;
    private static final float LN_2 = 0.6931472f;
    private static final float ROUNDER = 0x1.8p23f; // adding it leaves the nearest integer in the lowest bits

    private ExponentialRate() {}

    static double measure() {
        AllProcessors processors = AllProcessors.ofThisProcess();
        float[][] x = new float[processors.count()][ELEMENTS];
        float[][] y = new float[processors.count()][ELEMENTS];
        for (float[] numbers : x) {
            for (int i = 0; i < ELEMENTS; i++) {
                numbers[i] = -8f * i / ELEMENTS; // scores below their maximum
            }
        }
        double values = (double) processors.count() * ELEMENTS * PASSES;
        double library = values / processors.seconds(i -> repeat(() -> library(x[i], y[i])));
        double polynomial = values / processors.seconds(i -> repeat(() -> polynomial(x[i], y[i])));
        return Math.max(library, polynomial);
    }

    private static void repeat(Runnable pass) {
        for (int i = 0; i < PASSES; i++) {
            pass.run();
        }
    }

    private static void library(float[] x, float[] y) {
        for (int i = 0; i < ELEMENTS; i += LANES.length()) {
            FloatVector.fromArray(LANES, x, i).lanewise(VectorOperators.EXP).intoArray(y, i);
        }
    }

    /** {@code 2^n · e^r}: n by rounding, e^r by Taylor's polynomial of degree 7. Without a test for under- and overflow. */
    private static void polynomial(float[] x, float[] y) {
        FloatVector log2e = FloatVector.broadcast(LANES, LOG2_E);
        FloatVector rounder = FloatVector.broadcast(LANES, ROUNDER);
        FloatVector minusLn2 = FloatVector.broadcast(LANES, -LN_2);
        FloatVector one = FloatVector.broadcast(LANES, 1f);
        FloatVector c2 = FloatVector.broadcast(LANES, 1f / 2);
        FloatVector c3 = FloatVector.broadcast(LANES, 1f / 6);
        FloatVector c4 = FloatVector.broadcast(LANES, 1f / 24);
        FloatVector c5 = FloatVector.broadcast(LANES, 1f / 120);
        FloatVector c6 = FloatVector.broadcast(LANES, 1f / 720);
        FloatVector c7 = FloatVector.broadcast(LANES, 1f / 5040);
        for (int i = 0; i < ELEMENTS; i += LANES.length()) {
            FloatVector v = FloatVector.fromArray(LANES, x, i);
            FloatVector shifted = v.fma(log2e, rounder);
            FloatVector r = shifted.sub(rounder).fma(minusLn2, v);
            FloatVector p = r.fma(c7, c6)
                    .fma(r, c5)
                    .fma(r, c4)
                    .fma(r, c3)
                    .fma(r, c2)
                    .fma(r, one)
                    .fma(r, one);
            shifted.reinterpretAsInts()
                    .lanewise(VectorOperators.LSHL, 23)
                    .add(p.reinterpretAsInts())
                    .reinterpretAsFloats()
                    .intoArray(y, i);
        }
    }
}
