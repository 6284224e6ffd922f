package ds.api.layer;

import ds.api.CounterRandom;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The value of each element of a parameter before training, as a pure function: any rank makes any part, the same values. */
public sealed interface Initializer {
    /**
     * {@return the value of one element}
     *
     * @param key of the parameter, see {@link Parameter#key}
     * @param element row-major index in the parameter
     */
    float value(long key, long element);

    /**
     * Writes the values of elements that follow each other.
     *
     * @param key of the parameter
     * @param first of the elements
     * @param target F32, overwritten
     */
    default void fill(long key, long first, MemorySegment target) {
        for (long i = 0; i < target.byteSize() / Float.BYTES; i++) {
            target.setAtIndex(ValueLayout.JAVA_FLOAT, i, value(key, first + i));
        }
    }

    /** The same value everywhere. */
    record Constant(float constant) implements Initializer {
        @Override
        public float value(long key, long element) {
            return constant;
        }
    }

    /** Normally distributed (Box and Muller, 1958): two uniform numbers an element, so that elements are independent. */
    record Normal(double mean, double standardDeviation) implements Initializer {
        @Override
        public float value(long key, long element) {
            CounterRandom random = new CounterRandom(key, 0);
            double radius = Math.sqrt(-2 * Math.log(1 - unit(random.bits(2 * element)))); // 1 - u is never 0
            double angle = 2 * Math.PI * unit(random.bits(2 * element + 1));
            return (float) (mean + standardDeviation * radius * Math.cos(angle));
        }

        private static double unit(long bits) {
            return (bits >>> 11) * 0x1p-53;
        }
    }
}
