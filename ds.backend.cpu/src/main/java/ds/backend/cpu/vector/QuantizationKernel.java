package ds.backend.cpu.vector;

import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;

import ds.api.CoreKernels.Rows;
import ds.api.Quantization;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link Quantization} of blocks, which are what parts count: those of all rows, one after the other. A block stays in the first-level
 * cache; its words are made and read by vectors of words, which are vectors of elements shifted and put over each other.
 */
public final class QuantizationKernel {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    /** Vectors of the machine that make the words of a group; all fit since a vector has 4 to 16 lanes. */
    private static final int STEP = Math.min(Lanes.COUNT, Quantization.GROUP_WORDS);

    private QuantizationKernel() {}

    /** Quantizes blocks of x {@code [m, n]}. */
    public static void quantize(Tensor x, Quantization q, Rows words, Part part) {
        Elements from = Elements.of(x);
        MemorySegment to = words.tensor().host();
        long n = x.shape().columns();
        float[] block = part.scratch().floats(0, q.blockElements());
        for (long at = part.first(); at < part.last(); at++) {
            long row = at / q.blocks(n);
            long b = at % q.blocks(n);
            int count = q.elements(n, b);
            from.read(row * n + b * q.blockElements(), block, 0, count);
            int groups = Math.ceilDiv(count, q.groupElements());
            Arrays.fill(block, count, groups * q.groupElements(), 0f);
            float scale = q.scale(largestBits(block, groups * q.groupElements()));
            long rowWord = words.first() + row * words.stride();
            to.set(FLOAT, (rowWord + b) * Integer.BYTES, scale);
            encode(block, groups, q, 1 / scale, to, (rowWord + q.firstCodeWord(n, b)) * Integer.BYTES);
        }
    }

    private static int largestBits(float[] x, int n) {
        IntVector largest = IntVector.zero(Lanes.I32);
        for (int i = 0; i < n; i += Lanes.COUNT) {
            IntVector bits = FloatVector.fromArray(Lanes.F32, x, i).reinterpretAsInts();
            largest = largest.max(bits.and(Integer.MAX_VALUE));
        }
        return largest.reduceLanes(VectorOperators.MAX); // of integers: in any order the same
    }

    private static void encode(float[] x, int groups, Quantization q, float inverse, MemorySegment to, long at) {
        int bits = q.bits();
        int mask = (1 << bits) - 1;
        for (int group = 0; group < groups; group++) {
            int first = group * q.groupElements();
            for (int w = 0; w < Quantization.GROUP_WORDS; w += STEP) {
                IntVector codes = IntVector.zero(Lanes.I32);
                for (int k = 0; k < q.perWord(); k++) {
                    FloatVector v = FloatVector.fromArray(Lanes.F32, x, first + k * Quantization.GROUP_WORDS + w);
                    IntVector code = v.mul(inverse)
                            .add(Quantization.ROUNDER)
                            .reinterpretAsInts()
                            .and(mask);
                    codes = codes.or(code.lanewise(LSHL, k * bits));
                }
                codes.intoMemorySegment(to, at, ORDER);
                at += (long) STEP * Integer.BYTES;
            }
        }
    }

    /** Makes numbers of blocks: y is {@code [m, n]}. */
    public static void dequantize(Rows words, Quantization q, Tensor y, Part part) {
        Elements to = Elements.of(y);
        long n = y.shape().columns();
        MemorySegment from = words.tensor().host();
        float[] block = part.scratch().floats(0, q.blockElements());
        for (long at = part.first(); at < part.last(); at++) {
            long row = at / q.blocks(n);
            long b = at % q.blocks(n);
            decode(from, words.first() + row * words.stride(), q, n, b, block, false);
            to.write(block, 0, row * n + b * q.blockElements(), q.elements(n, b));
        }
    }

    /** Sums blocks of all rows into those of y {@code [n]}. */
    public static void sum(Rows words, long rows, Quantization q, Tensor y, Part part) {
        Elements to = Elements.of(y);
        long n = y.elements();
        MemorySegment from = words.tensor().host();
        float[] block = part.scratch().floats(0, q.blockElements());
        for (long b = part.first(); b < part.last(); b++) {
            for (long row = 0; row < rows; row++) {
                decode(from, words.first() + row * words.stride(), q, n, b, block, row > 0);
            }
            to.write(block, 0, b * q.blockElements(), q.elements(n, b));
        }
    }

    private static void decode(
            MemorySegment from, long rowWord, Quantization q, long n, long b, float[] x, boolean add) {
        float scale = from.get(FLOAT, (rowWord + b) * Integer.BYTES);
        int groups = Math.ceilDiv(q.elements(n, b), q.groupElements());
        long at = (rowWord + q.firstCodeWord(n, b)) * Integer.BYTES;
        int bits = q.bits();
        for (int group = 0; group < groups; group++) {
            int first = group * q.groupElements();
            for (int w = 0; w < Quantization.GROUP_WORDS; w += STEP) {
                IntVector codes = IntVector.fromMemorySegment(Lanes.I32, from, at, ORDER);
                at += (long) STEP * Integer.BYTES;
                for (int k = 0; k < q.perWord(); k++) {
                    int i = first + k * Quantization.GROUP_WORDS + w;
                    IntVector code =
                            codes.lanewise(LSHL, Integer.SIZE - (k + 1) * bits).lanewise(ASHR, Integer.SIZE - bits);
                    FloatVector v = ((FloatVector) code.convertShape(I2F, Lanes.F32, 0)).mul(scale);
                    (add ? FloatVector.fromArray(Lanes.F32, x, i).add(v) : v).intoArray(x, i);
                }
            }
        }
    }
}
