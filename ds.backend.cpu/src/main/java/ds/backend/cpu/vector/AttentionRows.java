package ds.backend.cpu.vector;

import ds.api.Attention;
import ds.api.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * What attention does with rows of scores between matrix products that are somebody else's: the softmax and its gradient. A block
 * of scores has a row for each of some consecutive queries and a column for each key that the last of them sees; keys that a
 * query does not see count as 0. Takes head after head; belongs to one thread.
 */
public final class AttentionRows {
    private final Attention attention;
    private final int time;
    private final int size;
    private final float scale;
    private final float[] logSumExp;
    private final float[] row;
    private final float[] gradient;
    private final float[] factors;
    private final float[] one;
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
        this.row = scratch.floats(1, Lanes.padded(time));
        this.gradient = scratch.floats(2, Lanes.padded(time));
        this.factors = scratch.floats(3, Lanes.padded(time));
        this.one = scratch.floats(4, Lanes.padded(size));
        this.other = scratch.floats(5, Lanes.padded(size));
    }

    /**
     * Where a block lies.
     *
     * @param head {@code b · NH + h}
     * @param first position of the first query
     * @param count queries: rows
     * @param keys columns; at least {@code first + count}
     */
    public record Block(long head, int first, int count, int keys) {
        private int visible(int i) {
            return first + i + 1;
        }

        private long at(int i) {
            return (long) i * keys;
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
     * @param scores F32
     * @param probabilities written; may be the same memory if they are F32
     * @param sums at least {@code count}; written
     */
    public void softmax(Block block, MemorySegment scores, Elements probabilities, float[] sums) {
        for (int i = 0; i < block.count; i++) {
            int n = readScores(block, scores, i);
            float max = RowSums.max(row, 0, n);
            sums[i] = Exponential.run(row, 0, n, max);
            logSumExp[block.first + i] = (float) (max + Math.log(sums[i]));
            if (attention.dropout().active()) {
                dropout(block, i, n);
                DropoutKernel.multiply(factors, row, 0, n);
            }
            write(row, probabilities, block, i);
        }
    }

    /** {@return the elements of whole vectors, of which those after the visible keys are minus infinity} */
    private int readScores(Block block, MemorySegment scores, int i) {
        int visible = block.visible(i);
        int n = Lanes.padded(visible);
        Lanes.read(scores, DType.F32, block.at(i), row, 0, visible);
        AttentionForward.scale(row, 0, n, scale);
        Arrays.fill(row, visible, n, Float.NEGATIVE_INFINITY);
        return n;
    }

    private void dropout(Block block, int i, int n) {
        long element = (block.head * time + block.first + i) * time;
        DropoutKernel.factors(attention.dropout(), element, factors, 0, n);
    }

    private static void write(float[] values, Elements to, Block block, int i) {
        int visible = block.visible(i);
        to.write(values, 0, block.at(i), visible);
        long bytes = to.dtype().byteSize();
        to.memory()
                .asSlice((block.at(i) + visible) * bytes, (block.keys - visible) * bytes)
                .fill((byte) 0);
    }

    /** Writes {@code products[i] / sums[i]}, F32 {@code [count, D]}, to the results of a block. */
    public void writeResults(Block block, MemorySegment products, float[] sums, HeadRows y) {
        for (int i = 0; i < block.count; i++) {
            writeScaled(products, i, 1 / sums[i], y, block.first + i);
        }
    }

    /** Writes {@code products / √D}, F32 {@code [count, D]}, to the gradient of a block's queries. */
    public void writeQueries(Block block, MemorySegment products, HeadRows dQueries) {
        for (int i = 0; i < block.count; i++) {
            writeScaled(products, i, scale, dQueries, block.first + i);
        }
    }

    /** Writes {@code products / √D}, F32 {@code [T, D]}, to the gradient of a head's keys. */
    public void writeKeys(MemorySegment products, HeadRows dKeys) {
        for (int i = 0; i < time; i++) {
            writeScaled(products, i, scale, dKeys, i);
        }
    }

    /** Writes {@code products}, F32 {@code [T, D]}, to the gradient of a head's values. */
    public void writeValues(MemorySegment products, HeadRows dValues) {
        for (int i = 0; i < time; i++) {
            writeScaled(products, i, 1f, dValues, i);
        }
    }

    private void writeScaled(MemorySegment products, int i, float factor, HeadRows to, int row) {
        Lanes.read(products, DType.F32, (long) i * size, one, 0, size);
        AttentionForward.scale(one, 0, Lanes.padded(size), factor);
        to.write(one, 0, row);
    }

    /** Sets {@code deltas[i]} to the sum of {@code dY Y} over the row of query i. */
    public void deltas(Block block, HeadRows dResults, HeadRows results, float[] deltas) {
        for (int i = 0; i < block.count; i++) {
            dResults.read(block.first + i, one, 0);
            results.read(block.first + i, other, 0);
            deltas[i] = RowSums.dot(one, 0, other, Lanes.padded(size));
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
    public void softmaxBackward(Block block, Gradients gradients, float[] deltas) {
        for (int i = 0; i < block.count; i++) {
            int visible = block.visible(i);
            int n = readScores(block, gradients.scores, i);
            Exponential.run(row, 0, n, logSumExp[block.first + i]);
            Lanes.read(gradients.dProbabilities, DType.F32, block.at(i), gradient, 0, visible);
            Arrays.fill(gradient, visible, n, 0f);
            if (attention.dropout().active()) {
                dropout(block, i, n);
                DropoutKernel.multiply(factors, gradient, 0, n);
            }
            differentiate(n, deltas[i]);
            write(gradient, gradients.dScores, block, i);
            if (attention.dropout().active()) {
                DropoutKernel.multiply(factors, row, 0, n);
            }
            write(row, gradients.probabilities, block, i);
        }
    }

    private void differentiate(int n, float delta) {
        for (int j = 0; j < n; j += Lanes.COUNT) {
            FloatVector difference =
                    FloatVector.fromArray(Lanes.F32, gradient, j).sub(delta);
            difference.mul(FloatVector.fromArray(Lanes.F32, row, j)).intoArray(gradient, j);
        }
    }
}
