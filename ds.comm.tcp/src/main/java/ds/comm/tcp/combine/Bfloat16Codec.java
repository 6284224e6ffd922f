package ds.comm.tcp.combine;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * BF16, the upper half of binary32. By the Vector API: the compiler does not vectorise the plain loop, which rounds five
 * times slower and would be slower than the network.
 */
final class Bfloat16Codec implements FloatCodec {
    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Short> SHORTS =
            VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

    private final short[] halves = new short[Combiner.BLOCK];

    @Override
    public int elementBytes() {
        return Short.BYTES;
    }

    @Override
    public void read(MemorySegment source, long at, float[] values, int count) {
        MemorySegment.copy(source, ValueLayout.JAVA_SHORT_UNALIGNED, at, halves, 0, count);
        int i = 0;
        for (; i < FLOATS.loopBound(count); i += FLOATS.length()) {
            IntVector bits =
                    (IntVector) ShortVector.fromArray(SHORTS, halves, i).convertShape(VectorOperators.S2I, INTS, 0);
            bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(values, i);
        }
        for (; i < count; i++) {
            values[i] = Float.intBitsToFloat(halves[i] << 16);
        }
    }

    @Override
    public void write(float[] values, MemorySegment target, long at, int count) {
        int i = 0;
        for (; i < FLOATS.loopBound(count); i += FLOATS.length()) {
            FloatVector value = FloatVector.fromArray(FLOATS, values, i);
            IntVector bits = value.reinterpretAsInts();
            IntVector upper = bits.lanewise(VectorOperators.LSHR, 16);
            IntVector rounded = bits.add(upper.and(1)).add(0x7fff).lanewise(VectorOperators.LSHR, 16);
            IntVector result = rounded.blend(
                    upper.or(0x40), value.test(VectorOperators.IS_NAN).cast(INTS));
            ((ShortVector) result.convertShape(VectorOperators.I2S, SHORTS, 0)).intoArray(halves, i);
        }
        for (; i < count; i++) {
            halves[i] = round(values[i]);
        }
        MemorySegment.copy(halves, 0, target, ValueLayout.JAVA_SHORT_UNALIGNED, at, count);
    }

    /** Rounds to nearest even; a NaN stays one whatever bits are cut off. */
    static short round(float value) {
        int bits = Float.floatToRawIntBits(value);
        int upper = bits >>> 16;
        return (short) (Float.isNaN(value) ? upper | 0x40 : (bits + 0x7fff + (upper & 1)) >>> 16);
    }
}
