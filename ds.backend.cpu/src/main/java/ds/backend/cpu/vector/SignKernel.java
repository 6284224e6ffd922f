package ds.backend.cpu.vector;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static jdk.incubator.vector.VectorOperators.F2D;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.GT;

import ds.api.Signs;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * Signs and scales of blocks; see {@link ds.api.Kernels#takeSigns}. A block of 16 KiB stays in the first-level cache between the sum
 * of its squares and its signs, so that taking moves 12 bytes and an eighth per number.
 */
public final class SignKernel {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final VectorSpecies<Double> F64 = DoubleVector.SPECIES_PREFERRED;
    private static final int WORD = Integer.SIZE;

    private SignKernel() {}

    /**
     * Takes the signs of a part.
     *
     * @param part of the blocks
     */
    public static void take(Tensor x, Tensor active, Signs signs, Part part) {
        MemorySegment numbers = x.host();
        MemorySegment mask = active.host();
        MemorySegment bits = signs.bits().host();
        MemorySegment scales = signs.scales().host();
        for (long block = part.first(); block < part.last(); block++) {
            long first = block * Signs.BLOCK;
            int n = (int) Math.min(Signs.BLOCK, x.elements() - first);
            float scale = scale(numbers, mask, first, n);
            scales.setAtIndex(JAVA_FLOAT_UNALIGNED, block, scale);
            takeBlock(numbers, mask, bits, scale, first, n);
        }
    }

    /** The root of the mean square of what takes part: squares are summed in F64, in an order that depends on n alone. */
    private static float scale(MemorySegment numbers, MemorySegment mask, long first, int n) {
        DoubleVector even = DoubleVector.zero(F64);
        DoubleVector odd = DoubleVector.zero(F64);
        int count = 0;
        int whole = Lanes.F32.loopBound(n);
        for (int i = 0; i < whole; i += Lanes.COUNT) {
            long at = (first + i) * Float.BYTES;
            VectorMask<Float> takesPart =
                    FloatVector.fromMemorySegment(Lanes.F32, mask, at, ORDER).compare(GT, 0f);
            FloatVector x = FloatVector.fromMemorySegment(Lanes.F32, numbers, at, ORDER, takesPart);
            DoubleVector low = (DoubleVector) x.convertShape(F2D, F64, 0);
            DoubleVector high = (DoubleVector) x.convertShape(F2D, F64, 1);
            even = low.fma(low, even);
            odd = high.fma(high, odd);
            count += takesPart.trueCount();
        }
        double squares = 0;
        for (int lane = 0; lane < F64.length(); lane++) {
            squares += even.lane(lane) + odd.lane(lane);
        }
        for (long i = first + whole; i < first + n; i++) {
            if (mask.getAtIndex(JAVA_FLOAT_UNALIGNED, i) > 0) {
                double x = numbers.getAtIndex(JAVA_FLOAT_UNALIGNED, i);
                squares += x * x;
                count++;
            }
        }
        return count == 0 ? 0 : (float) Math.sqrt(squares / count);
    }

    private static void takeBlock(
            MemorySegment numbers, MemorySegment mask, MemorySegment bits, float scale, long first, int n) {
        FloatVector positive = FloatVector.broadcast(Lanes.F32, scale);
        FloatVector negative = FloatVector.broadcast(Lanes.F32, -scale);
        int whole = n & -WORD;
        for (int i = 0; i < whole; i += WORD) {
            int word = 0;
            for (int j = 0; j < WORD; j += Lanes.COUNT) {
                long at = (first + i + j) * Float.BYTES;
                VectorMask<Float> takesPart = FloatVector.fromMemorySegment(Lanes.F32, mask, at, ORDER)
                        .compare(GT, 0f);
                FloatVector x = FloatVector.fromMemorySegment(Lanes.F32, numbers, at, ORDER, takesPart);
                VectorMask<Float> isPositive = x.compare(GE, 0f);
                word |= (int) isPositive.toLong() << j;
                FloatVector rest = x.sub(negative.blend(positive, isPositive));
                FloatVector.zero(Lanes.F32).blend(rest, takesPart).intoMemorySegment(numbers, at, ORDER);
            }
            bits.setAtIndex(JAVA_INT_UNALIGNED, (first + i) / WORD, word);
        }
        if (whole < n) {
            takeFew(numbers, mask, bits, scale, first + whole, n - whole);
        }
    }

    /** The numbers behind the last whole word. */
    private static void takeFew(
            MemorySegment numbers, MemorySegment mask, MemorySegment bits, float scale, long first, int n) {
        int word = 0;
        for (int j = 0; j < n; j++) {
            boolean takesPart = mask.getAtIndex(JAVA_FLOAT_UNALIGNED, first + j) > 0;
            float x = takesPart ? numbers.getAtIndex(JAVA_FLOAT_UNALIGNED, first + j) : 0;
            word |= (x >= 0 ? 1 : 0) << j;
            numbers.setAtIndex(JAVA_FLOAT_UNALIGNED, first + j, takesPart ? x - (x >= 0 ? scale : -scale) : 0);
        }
        bits.setAtIndex(JAVA_INT_UNALIGNED, first / WORD, word);
    }

    /**
     * Adds the signs of a part; see {@link ds.api.Kernels#addSigns}.
     *
     * @param beta of what is in y
     * @param part of the blocks
     */
    public static void add(double alpha, Signs signs, Tensor active, float beta, Tensor y, Part part) {
        MemorySegment numbers = y.host();
        MemorySegment mask = active.host();
        MemorySegment bits = signs.bits().host();
        MemorySegment scales = signs.scales().host();
        for (long block = part.first(); block < part.last(); block++) {
            long first = block * Signs.BLOCK;
            int n = (int) Math.min(Signs.BLOCK, y.elements() - first);
            float magnitude = (float) (alpha * scales.getAtIndex(JAVA_FLOAT_UNALIGNED, block));
            addBlock(numbers, mask, bits, magnitude, beta, first, n);
        }
    }

    private static void addBlock(
            MemorySegment numbers,
            MemorySegment mask,
            MemorySegment bits,
            float magnitude,
            float beta,
            long first,
            int n) {
        FloatVector positive = FloatVector.broadcast(Lanes.F32, magnitude);
        FloatVector negative = FloatVector.broadcast(Lanes.F32, -magnitude);
        FloatVector zero = FloatVector.zero(Lanes.F32);
        FloatVector factor = FloatVector.broadcast(Lanes.F32, beta);
        int whole = n & -WORD;
        for (int i = 0; i < whole; i += WORD) {
            int word = bits.getAtIndex(JAVA_INT_UNALIGNED, (first + i) / WORD);
            for (int j = 0; j < WORD; j += Lanes.COUNT) {
                long at = (first + i + j) * Float.BYTES;
                VectorMask<Float> takesPart = FloatVector.fromMemorySegment(Lanes.F32, mask, at, ORDER)
                        .compare(GT, 0f);
                FloatVector sent = negative.blend(positive, VectorMask.fromLong(Lanes.F32, word >>> j));
                FloatVector sum = beta == 0
                        ? sent
                        : FloatVector.fromMemorySegment(Lanes.F32, numbers, at, ORDER)
                                .fma(factor, sent);
                zero.blend(sum, takesPart).intoMemorySegment(numbers, at, ORDER);
            }
        }
        for (int i = whole; i < n; i++) {
            boolean takesPart = mask.getAtIndex(JAVA_FLOAT_UNALIGNED, first + i) > 0;
            int word = bits.getAtIndex(JAVA_INT_UNALIGNED, (first + i) / WORD);
            float sent = (word >>> i & 1) == 1 ? magnitude : -magnitude;
            float sum = beta == 0 ? sent : Math.fma(numbers.getAtIndex(JAVA_FLOAT_UNALIGNED, first + i), beta, sent);
            numbers.setAtIndex(JAVA_FLOAT_UNALIGNED, first + i, takesPart ? sum : 0);
        }
    }
}
