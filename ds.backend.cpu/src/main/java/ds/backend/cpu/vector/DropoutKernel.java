package ds.backend.cpu.vector;

import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.L2I;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.XOR;

import ds.api.CounterRandom;
import ds.api.Dropout;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Numbers of {@link CounterRandom}, a vector at a time and the same bit for bit, and dropout by them. Element i is kept if
 * {@code bits >>> 40 >= rate · 2^24}, which says {@code uniform >= rate} in integers.
 */
public final class DropoutKernel {
    private static final VectorSpecies<Long> I64 = LongVector.SPECIES_PREFERRED;
    private static final VectorShape HALF = VectorShape.forBitSize(I64.vectorBitSize() / 2);
    private static final VectorSpecies<Integer> HALF_I32 = VectorSpecies.of(int.class, HALF);
    private static final VectorSpecies<Float> HALF_F32 = VectorSpecies.of(float.class, HALF);
    private static final LongVector STEPS = LongVector.zero(I64).addIndex(1).mul(CounterRandom.GAMMA);

    private DropoutKernel() {}

    /**
     * {@code y = dropout(x)} for a part of the elements.
     *
     * @param y as many elements as {@code x}; may be {@code x}
     * @param part elements
     */
    public static void run(Tensor x, Dropout dropout, Tensor y, Part part) {
        float[] values = part.scratch().floats(0, Lanes.CHUNK);
        float[] factors = part.scratch().floats(1, Lanes.CHUNK);
        Elements from = Elements.of(x);
        Elements to = Elements.of(y);
        for (long i = part.first(); i < part.last(); i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, part.last() - i);
            from.read(i, values, 0, n);
            factors(dropout, i, factors, 0, Lanes.padded(n));
            multiply(factors, values, 0, Lanes.padded(n));
            to.write(values, 0, i, n);
        }
    }

    /**
     * {@code y[i] = random.uniform(i)} for a part of the elements.
     *
     * @param part elements
     */
    public static void uniform(CounterRandom random, Tensor y, Part part) {
        float[] values = part.scratch().floats(0, Lanes.CHUNK);
        Elements to = Elements.of(y);
        for (long i = part.first(); i < part.last(); i += Lanes.CHUNK) {
            int n = (int) Math.min(Lanes.CHUNK, part.last() - i);
            uniform(random, i, values, Lanes.padded(n));
            to.write(values, 0, i, n);
        }
    }

    /**
     * What elements {@code first} to {@code first + n} are multiplied by: 0 or {@code 1 / (1 - rate)}.
     *
     * @param n a multiple of {@link Lanes#COUNT}
     */
    static void factors(Dropout dropout, long first, float[] to, int at, int n) {
        CounterRandom random = dropout.random();
        long state = random.key() + (random.first() + first + 1) * CounterRandom.GAMMA;
        int threshold = (int) Math.ceil(dropout.rate() * 0x1p24);
        FloatVector dropped = FloatVector.zero(HALF_F32);
        FloatVector kept = FloatVector.broadcast(HALF_F32, (float) (1 / (1.0 - dropout.rate())));
        for (int i = 0; i < n; i += I64.length()) {
            LongVector z = STEPS.add(state + i * CounterRandom.GAMMA);
            z = z.lanewise(XOR, z.lanewise(LSHR, 30)).mul(CounterRandom.MIX_1);
            z = z.lanewise(XOR, z.lanewise(LSHR, 27)).mul(CounterRandom.MIX_2);
            z = z.lanewise(XOR, z.lanewise(LSHR, 31)).lanewise(LSHR, 40);
            IntVector bits = (IntVector) z.convertShape(L2I, HALF_I32, 0);
            dropped.blend(kept, bits.compare(GE, threshold).cast(HALF_F32)).intoArray(to, at + i);
        }
    }

    private static void uniform(CounterRandom random, long first, float[] to, int n) {
        for (int i = 0; i < n; i++) {
            to[i] = random.uniform(first + i);
        }
    }

    /** {@code y[at + i] *= factors[i]}. */
    static void multiply(float[] factors, float[] y, int at, int n) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector product =
                    FloatVector.fromArray(Lanes.F32, y, at + i).mul(FloatVector.fromArray(Lanes.F32, factors, i));
            product.intoArray(y, at + i);
        }
    }
}
