package ds.backend.cpu.core;

import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import ds.api.DType;
import ds.backend.cpu.vector.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The factors of a product in words of 32 bits, which is what its kernel takes at a time: one F32, or two BF16 that follow each
 * other in the sum, the first at the lower address. Arrays hold words as floats, whatever is in them: moving a float changes no
 * bit of it.
 */
final class Words {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private Words() {}

    /** {@return how many elements of the sum a word holds} */
    static int elements(DType dtype) {
        return dtype == DType.BF16 ? 2 : 1;
    }

    /** {@return the words that hold {@code depth} elements of the sum} */
    static long count(DType dtype, long depth) {
        return Math.ceilDiv(depth, elements(dtype));
    }

    /**
     * Reads words of one row, or of two BF16 rows.
     *
     * @param dtype of the words: F32, or BF16 as the elements
     * @param first element of the upper row
     * @param second element of the lower row; negative if there is none, which counts as zeros; unused for F32
     * @param n words
     */
    static void read(AnyElements from, DType dtype, long first, long second, float[] to, int at, int n) {
        if (dtype == DType.F32) {
            from.read(first, to, at, n);
        } else if (second < 0) {
            for (int i = 0; i < n; i++) {
                to[at + i] = word(short16(from.memory(), first + i), (short) 0);
            }
        } else {
            interleave(from.memory(), first, second, to, at, n);
        }
    }

    private static void interleave(MemorySegment from, long first, long second, float[] to, int at, int n) {
        int i = 0;
        for (int whole = Lanes.I16.loopBound(n); i < whole; i += Lanes.COUNT) {
            interleaved(from, (first + i) * Short.BYTES, (second + i) * Short.BYTES)
                    .reinterpretAsFloats()
                    .intoArray(to, at + i);
        }
        for (; i < n; i++) {
            to[at + i] = word(short16(from, first + i), short16(from, second + i));
        }
    }

    /**
     * Where the words of one row go: to pieces of {@code width} words, a multiple of {@link Lanes#COUNT}.
     *
     * @param byteOffset of the first piece
     * @param byteStride from one piece to the next
     */
    record Pieces(MemorySegment memory, long byteOffset, long byteStride, int width) {}

    /** Copies a row of F32, from element {@code first} on, to whole pieces of {@code n} words in all. */
    static void copy(MemorySegment from, long first, long n, Pieces to) {
        long source = first * Float.BYTES;
        long target = to.byteOffset;
        for (long i = 0; i < n; i += to.width) {
            for (int lane = 0; lane < to.width; lane += Lanes.COUNT) {
                IntVector.fromMemorySegment(Lanes.I32, from, source + (long) lane * Float.BYTES, ORDER)
                        .intoMemorySegment(to.memory, target + (long) lane * Float.BYTES, ORDER);
            }
            source += (long) to.width * Float.BYTES;
            target += to.byteStride;
        }
    }

    /** Copies {@code n} words, whole pieces. */
    static void copy(float[] from, int n, Pieces to) {
        long target = to.byteOffset;
        for (int i = 0; i < n; i += to.width) {
            for (int lane = 0; lane < to.width; lane += Lanes.COUNT) {
                FloatVector.fromArray(Lanes.F32, from, i + lane)
                        .intoMemorySegment(to.memory, target + (long) lane * Float.BYTES, ORDER);
            }
            target += to.byteStride;
        }
    }

    /** Interleaves two rows of BF16, from these elements on, to whole pieces of {@code n} words in all. */
    static void interleave(MemorySegment from, long first, long second, long n, Pieces to) {
        long upper = first * Short.BYTES;
        long lower = second * Short.BYTES;
        long target = to.byteOffset;
        for (long i = 0; i < n; i += to.width) {
            for (int lane = 0; lane < to.width; lane += Lanes.COUNT) {
                interleaved(from, upper + (long) lane * Short.BYTES, lower + (long) lane * Short.BYTES)
                        .intoMemorySegment(to.memory, target + (long) lane * Float.BYTES, ORDER);
            }
            upper += (long) to.width * Short.BYTES;
            lower += (long) to.width * Short.BYTES;
            target += to.byteStride;
        }
    }

    private static IntVector interleaved(MemorySegment from, long upper, long lower) {
        return widened(from, upper).or(widened(from, lower).lanewise(VectorOperators.LSHL, Short.SIZE));
    }

    private static IntVector widened(MemorySegment from, long byteOffset) {
        return (IntVector) ShortVector.fromMemorySegment(Lanes.I16, from, byteOffset, ORDER)
                .convertShape(VectorOperators.ZERO_EXTEND_S2I, Lanes.I32, 0);
    }

    private static short short16(MemorySegment from, long element) {
        return from.get(JAVA_SHORT_UNALIGNED, element * Short.BYTES);
    }

    private static float word(short first, short second) { // x86 and ARM are little-endian
        return Float.intBitsToFloat((second << Short.SIZE) | (first & 0xffff));
    }
}
