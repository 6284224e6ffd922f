package ds.backend.cpu.vector;

import ds.api.Attention;
import ds.api.DType;
import ds.backend.cpu.threads.Scratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * What attention does with rows of scores between matrix products that are somebody else's: the softmax and its gradient. A block
 * of scores has a row for each of some consecutive queries and a column for each key that the last of them sees; keys that a
 * query does not see count as 0. Rows are {@link Block#stride} elements apart. Takes head after head; belongs to one thread.
 */
public final class AttentionRows {
    /** The most queries of a block: more multiply faster, and waste more on keys that a query does not see. */
    public static final int QUERIES = 64;

    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final Attention attention;
    private final int time;
    private final int size;
    private final float scale;
    private final float[] logSumExp;
    private final float[] probabilities; // of one query, as are the gradients and factors of dropout
    private final float[] gradients;
    private final float[] factors;

    /**
     * Prepares for heads of one shape.
     *
     * @param time T
     * @param size D
     */
    public AttentionRows(Attention attention, int time, int size, Scratch scratch) {
        this.attention = attention;
        this.time = time;
        this.size = size;
        this.scale = (float) (1 / Math.sqrt(size));
        this.logSumExp = scratch.floats(0, Lanes.padded(time));
        this.probabilities = scratch.floats(1, Lanes.padded(time));
        this.gradients = scratch.floats(2, Lanes.padded(time));
        this.factors = scratch.floats(3, Lanes.padded(time));
    }

    /**
     * Where a block lies.
     *
     * @param head {@code b · NH + h}
     * @param first position of the first query
     * @param count queries: rows; at most {@link #QUERIES}
     * @param keys columns; at least {@code first + count}
     */
    public record Block(long head, int first, int count, int keys) {
        /** {@return elements from a row to the next: whole vectors} */
        public int stride() {
            return Lanes.padded(keys);
        }

        private int visible(int i) {
            return first + i + 1;
        }
    }

    /** {@return of each of a head's T rows of scaled scores, the logarithm of the sum of exponentials} */
    public float[] logSumExp() {
        return logSumExp;
    }

    /**
     * From {@code Q Kᵀ} to {@code P F}, both {@code [count, keys]}, where P lacks the factor {@code 1 / sums[i]}; sets
     * {@link #logSumExp}.
     *
     * @param from F32
     * @param to may be the same memory if it is F32
     * @param sums at least {@code count}; written
     */
    public void softmax(Block block, MemorySegment from, Elements to, float[] sums) {
        for (int i = 0; i < block.count; i++) {
            long at = (long) i * block.stride();
            int n = Lanes.padded(block.visible(i));
            fill(from, at + block.visible(i), at + n, Float.NEGATIVE_INFINITY);
            float max = scale * max(from, at * Float.BYTES, n);
            sums[i] = exponentials(from, at * Float.BYTES, n, max);
            logSumExp[block.first + i] = (float) (max + Math.log(sums[i]));
            if (attention.dropout().active()) {
                dropout(block, i, n);
                DropoutKernel.multiply(factors, probabilities, 0, n);
            }
            write(probabilities, n, block, to, at);
        }
    }

    /** Sets what belongs to keys that a query does not see, and that share a vector with some that it does. */
    private static void fill(MemorySegment row, long first, long last, float value) {
        for (long i = first; i < last; i++) {
            row.set(FLOAT, i * Float.BYTES, value);
        }
    }

    /** {@return the largest of n scores, NaN not counted} */
    private static float max(MemorySegment scores, long byteOffset, int n) {
        FloatVector even = FloatVector.broadcast(Lanes.F32, Float.NEGATIVE_INFINITY);
        FloatVector odd = even;
        int i = 0;
        for (; i < n - Lanes.COUNT; i += 2 * Lanes.COUNT) {
            even = RowSums.larger(even, vector(scores, byteOffset, i));
            odd = RowSums.larger(odd, vector(scores, byteOffset, i + Lanes.COUNT));
        }
        for (; i < n; i += Lanes.COUNT) {
            even = RowSums.larger(even, vector(scores, byteOffset, i));
        }
        return RowSums.larger(even, odd).reduceLanes(VectorOperators.MAX);
    }

    private static FloatVector vector(MemorySegment from, long byteOffset, int i) {
        return FloatVector.fromMemorySegment(Lanes.F32, from, byteOffset + (long) i * Float.BYTES, ORDER);
    }

    /** Sets the probabilities of a row to {@code exp(scale · score - shift)}, and returns their sum. */
    private float exponentials(MemorySegment scores, long byteOffset, int n, float shift) {
        FloatVector factor = FloatVector.broadcast(Lanes.F32, scale);
        FloatVector minus = FloatVector.broadcast(Lanes.F32, -shift);
        FloatVector sum = FloatVector.zero(Lanes.F32);
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector e = Exponential.of(vector(scores, byteOffset, i).fma(factor, minus));
            e.intoArray(probabilities, i);
            sum = sum.add(e);
        }
        return Lanes.sum(sum);
    }

    /** Writes n elements of a row of a block, and zeros after them. */
    private static void write(float[] from, int n, Block block, Elements to, long at) {
        to.write(from, 0, at, n);
        long size = to.dtype().byteSize();
        if (n < block.stride()) {
            to.memory().asSlice((at + n) * size, (block.stride() - n) * size).fill((byte) 0);
        }
    }

    private void dropout(Block block, int i, int n) {
        long element = (block.head * time + block.first + i) * time;
        DropoutKernel.factors(attention.dropout(), element, factors, 0, n);
    }

    /** Writes {@code products[i] / sums[i]}, F32 {@code [count, D]}, to the results of a block. */
    public void writeResults(Block block, MemorySegment products, float[] sums, HeadRows y) {
        for (int i = 0; i < block.count; i++) {
            y.writeScaled(products, (long) i * size, 1 / sums[i], block.first + i);
        }
    }

    /** Writes {@code products / √D}, F32 {@code [count, D]}, to the gradient of a block's queries. */
    public void writeQueries(Block block, MemorySegment products, HeadRows dQueries) {
        for (int i = 0; i < block.count; i++) {
            dQueries.writeScaled(products, (long) i * size, scale, block.first + i);
        }
    }

    /** Writes {@code products / √D}, F32 {@code [T, D]}, to the gradient of a head's keys. */
    public void writeKeys(MemorySegment products, HeadRows dKeys) {
        for (int i = 0; i < time; i++) {
            dKeys.writeScaled(products, (long) i * size, scale, i);
        }
    }

    /** Writes {@code products}, F32 {@code [T, D]}, to the gradient of a head's values. */
    public void writeValues(MemorySegment products, HeadRows dValues) {
        for (int i = 0; i < time; i++) {
            dValues.writeScaled(products, (long) i * size, 1, i);
        }
    }

    /**
     * What the backward pass makes of one block, all {@code [count, keys]}.
     *
     * @param scores F32, {@code Q Kᵀ}; read
     * @param dProbabilities F32, {@code dY Vᵀ}; read
     * @param probabilities {@code P F}; written; may be the memory of {@code scores} if they are F32
     * @param dScores {@code P (dP F - delta)}, where delta is the sum of {@code P dP F} over the row; written; may be the memory
     *     of {@code dProbabilities} if they are F32
     */
    public record Gradients(
            MemorySegment scores, MemorySegment dProbabilities, Elements probabilities, Elements dScores) {}

    /** The gradient of the softmax, with {@link #logSumExp} of the forward pass. */
    public void softmaxBackward(Block block, Gradients operands) {
        for (int i = 0; i < block.count; i++) {
            long at = (long) i * block.stride();
            int n = Lanes.padded(block.visible(i));
            float shift = logSumExp[block.first + i];
            fill(operands.scores, at + block.visible(i), at + n, Float.NEGATIVE_INFINITY);
            fill(operands.dProbabilities, at + block.visible(i), at + n, 0);
            if (attention.dropout().active()) {
                exponentials(operands.scores, at * Float.BYTES, n, shift);
                Lanes.read(operands.dProbabilities, DType.F32, at, gradients, 0, n);
                dropout(block, i, n);
                DropoutKernel.multiply(factors, gradients, 0, n);
                differentiate(n, RowSums.dot(probabilities, 0, gradients, n));
                DropoutKernel.multiply(factors, probabilities, 0, n);
            } else {
                float delta = exponentialsAndDot(operands, at * Float.BYTES, n, shift);
                differentiate(operands.dProbabilities, at * Float.BYTES, n, delta);
            }
            write(probabilities, n, block, operands.probabilities, at);
            write(gradients, n, block, operands.dScores, at);
        }
    }

    /** As {@link #exponentials}, but returns the sum of {@code P dP}. */
    private float exponentialsAndDot(Gradients operands, long byteOffset, int n, float shift) {
        FloatVector factor = FloatVector.broadcast(Lanes.F32, scale);
        FloatVector minus = FloatVector.broadcast(Lanes.F32, -shift);
        FloatVector sum = FloatVector.zero(Lanes.F32);
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector p =
                    Exponential.of(vector(operands.scores, byteOffset, i).fma(factor, minus));
            p.intoArray(probabilities, i);
            sum = p.fma(vector(operands.dProbabilities, byteOffset, i), sum);
        }
        return Lanes.sum(sum);
    }

    private void differentiate(MemorySegment dProbabilities, long byteOffset, int n, float delta) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector p = FloatVector.fromArray(Lanes.F32, probabilities, i);
            vector(dProbabilities, byteOffset, i).sub(delta).mul(p).intoArray(gradients, i);
        }
    }

    private void differentiate(int n, float delta) {
        for (int i = 0; i < n; i += Lanes.COUNT) {
            FloatVector p = FloatVector.fromArray(Lanes.F32, probabilities, i);
            FloatVector.fromArray(Lanes.F32, gradients, i).sub(delta).mul(p).intoArray(gradients, i);
        }
    }
}
