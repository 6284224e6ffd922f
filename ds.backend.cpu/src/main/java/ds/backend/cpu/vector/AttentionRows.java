package ds.backend.cpu.vector;

import ds.api.Attention;
import ds.api.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
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

    private final Attention attention;
    private final int time;
    private final int size;
    private final float scale;
    private final float[] logSumExp;
    private final float[] scores;
    private final float[] gradients;
    private final float[] factors;
    private final float[] rows;
    private final float[] other;

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
        this.scores = scratch.floats(1, QUERIES * Lanes.padded(time));
        this.gradients = scratch.floats(2, QUERIES * Lanes.padded(time));
        this.factors = scratch.floats(3, Lanes.padded(time));
        this.rows = scratch.floats(4, Lanes.padded(time * size));
        this.other = scratch.floats(5, Lanes.padded(size));
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

        private int elements() {
            return count * stride();
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
        Lanes.read(from, DType.F32, 0, scores, 0, block.elements());
        for (int i = 0; i < block.count; i++) {
            int at = i * block.stride();
            int n = Lanes.padded(block.visible(i));
            float max = scaleAndMask(block, i);
            sums[i] = Exponential.run(scores, at, n, max);
            logSumExp[block.first + i] = (float) (max + Math.log(sums[i]));
            if (attention.dropout().active()) {
                dropout(block, i, n);
                DropoutKernel.multiply(factors, scores, at, n);
            }
            Arrays.fill(scores, at + n, at + block.stride(), 0f);
        }
        to.write(scores, 0, 0, block.elements());
    }

    /**
     * Divides a row of scores by √D, and sets those in its last vector that are not visible to minus infinity.
     *
     * @return the largest, or NaN if there is one
     */
    private float scaleAndMask(Block block, int i) {
        int first = i * block.stride();
        int end = first + block.visible(i);
        int last = first + Lanes.padded(block.visible(i));
        Arrays.fill(scores, end, last, Float.NEGATIVE_INFINITY);
        FloatVector max = FloatVector.broadcast(Lanes.F32, Float.NEGATIVE_INFINITY);
        for (int at = first; at < last; at += Lanes.COUNT) {
            FloatVector scaled = FloatVector.fromArray(Lanes.F32, scores, at).mul(scale);
            scaled.intoArray(scores, at);
            max = max.max(scaled);
        }
        return max.reduceLanes(VectorOperators.MAX);
    }

    private void dropout(Block block, int i, int n) {
        long element = (block.head * time + block.first + i) * time;
        DropoutKernel.factors(attention.dropout(), element, factors, 0, n);
    }

    /** Writes {@code products[i] / sums[i]}, F32 {@code [count, D]}, to the results of a block. */
    public void writeResults(Block block, MemorySegment products, float[] sums, HeadRows y) {
        Lanes.read(products, DType.F32, 0, rows, 0, block.count * size);
        for (int i = 0; i < block.count; i++) {
            scaleRow(i, 1 / sums[i]);
            y.write(rows, i * size, block.first + i);
        }
    }

    /** Writes {@code products / √D}, F32 {@code [count, D]}, to the gradient of a block's queries. */
    public void writeQueries(Block block, MemorySegment products, HeadRows dQueries) {
        Lanes.read(products, DType.F32, 0, rows, 0, block.count * size);
        for (int i = 0; i < block.count; i++) {
            scaleRow(i, scale);
            dQueries.write(rows, i * size, block.first + i);
        }
    }

    /** Writes {@code products / √D}, F32 {@code [T, D]}, to the gradient of a head's keys. */
    public void writeKeys(MemorySegment products, HeadRows dKeys) {
        Lanes.read(products, DType.F32, 0, rows, 0, time * size);
        for (int i = 0; i < time; i++) {
            scaleRow(i, scale);
            dKeys.write(rows, i * size, i);
        }
    }

    /** Writes {@code products}, F32 {@code [T, D]}, to the gradient of a head's values. */
    public void writeValues(MemorySegment products, HeadRows dValues) {
        Lanes.read(products, DType.F32, 0, rows, 0, time * size);
        for (int i = 0; i < time; i++) {
            dValues.write(rows, i * size, i);
        }
    }

    private void scaleRow(int i, float factor) {
        int end = (i + 1) * size;
        int at = i * size;
        for (; at <= end - Lanes.COUNT; at += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.F32, rows, at).mul(factor).intoArray(rows, at);
        }
        for (; at < end; at++) {
            rows[at] *= factor;
        }
    }

    /** Sets {@code deltas[i]} to the sum of {@code dY Y} over the row of query i. */
    public void deltas(Block block, HeadRows dResults, HeadRows results, float[] deltas) {
        for (int i = 0; i < block.count; i++) {
            dResults.read(block.first + i, rows, 0);
            results.read(block.first + i, other, 0);
            deltas[i] = RowSums.dot(rows, 0, other, Lanes.padded(size));
        }
    }

    /**
     * What the backward pass makes of one block, all {@code [count, keys]}.
     *
     * @param scores F32, {@code Q Kᵀ}; read
     * @param dProbabilities F32, {@code dY Vᵀ}; read
     * @param probabilities {@code P F}; written; may be the memory of {@code scores} if they are F32
     * @param dScores {@code P (dP F - delta)}; written; may be the memory of {@code dProbabilities} if they are F32
     */
    public record Gradients(
            MemorySegment scores, MemorySegment dProbabilities, Elements probabilities, Elements dScores) {}

    /** The gradient of the softmax, with {@link #logSumExp} of the forward pass and {@link #deltas}. */
    public void softmaxBackward(Block block, Gradients operands, float[] deltas) {
        Lanes.read(operands.scores, DType.F32, 0, scores, 0, block.elements());
        Lanes.read(operands.dProbabilities, DType.F32, 0, gradients, 0, block.elements());
        for (int i = 0; i < block.count; i++) {
            int at = i * block.stride();
            int n = Lanes.padded(block.visible(i));
            scaleAndMask(block, i);
            Arrays.fill(gradients, at + block.visible(i), at + n, 0f);
            Exponential.run(scores, at, n, logSumExp[block.first + i]);
            if (attention.dropout().active()) {
                dropout(block, i, n);
                DropoutKernel.multiply(factors, gradients, at, n);
                differentiate(at, n, deltas[i]);
                DropoutKernel.multiply(factors, scores, at, n);
            } else {
                differentiate(at, n, deltas[i]);
            }
            Arrays.fill(scores, at + n, at + block.stride(), 0f);
            Arrays.fill(gradients, at + n, at + block.stride(), 0f);
        }
        operands.probabilities.write(scores, 0, 0, block.elements());
        operands.dScores.write(gradients, 0, 0, block.elements());
    }

    private void differentiate(int first, int n, float delta) {
        for (int at = first; at < first + n; at += Lanes.COUNT) {
            FloatVector difference =
                    FloatVector.fromArray(Lanes.F32, gradients, at).sub(delta);
            difference.mul(FloatVector.fromArray(Lanes.F32, scores, at)).intoArray(gradients, at);
        }
    }
}
