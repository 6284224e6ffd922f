package ds.backend.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import ds.api.Bf16;
import ds.api.DType;
import ds.api.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * The machine's vectors, and elements of any floating type to and from F32 arrays. The type is chosen once per call, so that
 * each loop is straight; chunks of {@link #CHUNK} elements stay in the first-level cache between reading and writing.
 */
public final class Lanes {
    /** The widest vectors that the machine prefers. */
    public static final VectorSpecies<Float> F32 = FloatVector.SPECIES_PREFERRED;

    /** As many 32-bit integers as {@link #F32} has floats. */
    public static final VectorSpecies<Integer> I32 = IntVector.SPECIES_PREFERRED;

    /** Elements of a vector: a power of two, 4 to 16 on the machines of today. */
    public static final int COUNT = F32.length();

    /** Elements that elementwise kernels bring into F32 at a time; a multiple of any {@link #COUNT}. */
    public static final int CHUNK = 1024;

    /** As many 16-bit integers as {@link #F32} has floats. */
    public static final VectorSpecies<Short> I16 =
            VectorSpecies.of(short.class, VectorShape.forBitSize(F32.vectorBitSize() / 2));

    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    /** Turns by a half, a quarter, … of the lanes. */
    private static final VectorShuffle<Float> HALF = turn(COUNT / 2);

    private static final VectorShuffle<Float> QUARTER = turn(COUNT / 4);
    private static final VectorShuffle<Float> EIGHTH = turn(COUNT / 8);
    private static final VectorShuffle<Float> SIXTEENTH = turn(COUNT / 16);

    private Lanes() {}

    private static VectorShuffle<Float> turn(int lanes) {
        return VectorShuffle.fromOp(F32, i -> (i + lanes) % COUNT);
    }

    /**
     * {@return the sum of all lanes}
     *
     * <p>Not {@code reduceLanes(ADD)}: its order of summation is unspecified, and is another one once it is compiled.
     */
    public static float sum(FloatVector x) {
        FloatVector sum = x.add(x.rearrange(HALF));
        sum = sum.add(sum.rearrange(QUARTER));
        if (COUNT >= 8) {
            sum = sum.add(sum.rearrange(EIGHTH));
        }
        if (COUNT >= 16) {
            sum = sum.add(sum.rearrange(SIXTEENTH));
        }
        return sum.lane(0);
    }

    /** {@return the elements of whole vectors that hold {@code n} elements} */
    public static int padded(int n) {
        return (n + COUNT - 1) & -COUNT;
    }

    /**
     * Brings {@code n} elements of a tensor of type F32, BF16 or F16 into {@code to[at ..]} and fills up the last vector with
     * zeros.
     *
     * @param first element of the tensor
     * @param to at least {@code at + padded(n)} elements
     */
    public static void read(Tensor from, long first, float[] to, int at, int n) {
        read(from.host(), from.dtype(), first, to, at, n);
        Arrays.fill(to, at + n, at + padded(n), 0f);
    }

    /** As {@link #read(Tensor, long, float[], int, int)}, without the zeros: {@code to} needs {@code at + n} elements. */
    public static void read(MemorySegment from, DType dtype, long first, float[] to, int at, int n) {
        switch (dtype) {
            case F32 -> MemorySegment.copy(from, JAVA_FLOAT_UNALIGNED, first * Float.BYTES, to, at, n);
            case BF16 -> readBf16(from, first * Short.BYTES, to, at, n);
            case F16 -> readF16(from, first * Short.BYTES, to, at, n);
            case F64, I32 -> throw new IllegalArgumentException(dtype + " elements cannot be read as F32");
        }
    }

    /** Writes {@code n} elements {@code from[at ..]} to a tensor of type F32, BF16 or F16, rounded to nearest even. */
    public static void write(float[] from, int at, Tensor to, long first, int n) {
        write(from, at, to.host(), to.dtype(), first, n);
    }

    /** As {@link #write(float[], int, Tensor, long, int)}. */
    public static void write(float[] from, int at, MemorySegment to, DType dtype, long first, int n) {
        switch (dtype) {
            case F32 -> MemorySegment.copy(from, at, to, JAVA_FLOAT_UNALIGNED, first * Float.BYTES, n);
            case BF16 -> writeBf16(from, at, to, first * Short.BYTES, n);
            case F16 -> writeF16(from, at, to, first * Short.BYTES, n);
            case F64, I32 -> throw new IllegalArgumentException("F32 elements cannot be written as " + dtype);
        }
    }

    /** {@return in the lower half of each lane the BF16 nearest to the F32 of these bits; see {@link Bf16#nearest}} */
    static IntVector toBf16(IntVector bits) {
        IntVector upper = bits.lanewise(VectorOperators.LSHR, 16);
        IntVector rounded = bits.add(upper.and(1)).add(0x7fff).lanewise(VectorOperators.LSHR, 16);
        VectorMask<Integer> nan = bits.and(0x7fffffff).compare(VectorOperators.GT, 0x7f800000);
        return rounded.blend(upper.or(0x40), nan);
    }

    private static void readBf16(MemorySegment from, long byteOffset, float[] to, int at, int n) {
        int i = 0;
        for (int whole = I16.loopBound(n); i < whole; i += COUNT) {
            ShortVector halves = ShortVector.fromMemorySegment(I16, from, byteOffset + (long) i * Short.BYTES, ORDER);
            IntVector bits = (IntVector) halves.convertShape(VectorOperators.ZERO_EXTEND_S2I, I32, 0);
            bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(to, at + i);
        }
        for (; i < n; i++) {
            int bits = from.get(JAVA_SHORT_UNALIGNED, byteOffset + (long) i * Short.BYTES) << 16;
            to[at + i] = Float.intBitsToFloat(bits);
        }
    }

    private static void writeBf16(float[] from, int at, MemorySegment to, long byteOffset, int n) {
        int i = 0;
        for (int whole = F32.loopBound(n); i < whole; i += COUNT) {
            IntVector bits = FloatVector.fromArray(F32, from, at + i).reinterpretAsInts();
            ShortVector halves = (ShortVector) toBf16(bits).convertShape(VectorOperators.I2S, I16, 0);
            halves.intoMemorySegment(to, byteOffset + (long) i * Short.BYTES, ORDER);
        }
        for (; i < n; i++) {
            to.set(JAVA_SHORT_UNALIGNED, byteOffset + (long) i * Short.BYTES, Bf16.nearest(from[at + i]));
        }
    }

    private static void readF16(MemorySegment from, long byteOffset, float[] to, int at, int n) {
        for (int i = 0; i < n; i++) {
            short half = from.get(JAVA_SHORT_UNALIGNED, byteOffset + (long) i * Short.BYTES);
            to[at + i] = Float.float16ToFloat(half);
        }
    }

    private static void writeF16(float[] from, int at, MemorySegment to, long byteOffset, int n) {
        for (int i = 0; i < n; i++) {
            to.set(JAVA_SHORT_UNALIGNED, byteOffset + (long) i * Short.BYTES, Float.floatToFloat16(from[at + i]));
        }
    }
}
