package ds.backend.cpu.vector;

import ds.api.Dropout;
import ds.backend.cpu.threads.Scratch;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * The backward pass of {@link AttentionForward} for one head: probabilities are computed again from logSumExp (Dao et al.,
 * arXiv:2205.14135, Algorithm 4). With P the probabilities, F the factors of dropout, s the scale of the scores:
 *
 * <pre>
 * dV = (P F)ᵀ dY      dP = (dY Vᵀ) F      dS = P (dP - sum of dY Y over the row)
 * dQ = s dS K         dK = dSᵀ (s Q)
 * </pre>
 *
 * Queries are taken in order, so the sums repeat bit for bit. Memory: five times T times D floats of the thread's scratch.
 */
final class AttentionBackward {
    private static final int QUERIES = AttentionForward.QUERIES;
    private static final int KEYS = AttentionForward.KEYS;

    private final int size;
    private final int padded;
    private final Dropout dropout;
    private final Scratch scratch;
    private final float scale;
    private final float[] query;
    private final float[] dQuery;
    private final float[] dOut;
    private final float[] p;
    private final float[] dp;
    private final float[] factors;
    private final float[] delta = new float[QUERIES];

    /**
     * Prepares for heads of one size.
     *
     * @param size D
     * @param dropout of the probabilities
     */
    AttentionBackward(int size, Dropout dropout, Scratch scratch) {
        this.size = size;
        this.padded = Lanes.padded(size);
        this.dropout = dropout;
        this.scratch = scratch;
        this.scale = (float) (1 / Math.sqrt(size));
        this.query = scratch.floats(0, QUERIES * padded);
        this.dQuery = scratch.floats(1, QUERIES * padded);
        this.dOut = scratch.floats(2, QUERIES * padded);
        this.p = scratch.floats(3, QUERIES * KEYS);
        this.dp = scratch.floats(4, QUERIES * KEYS);
        this.factors = scratch.floats(5, QUERIES * KEYS);
    }

    /**
     * Computes the gradients of one head.
     *
     * @param forward operands and results of the forward pass
     * @param gradients where those of queries, keys and values go; its results are dY, which is read
     * @param rows T
     * @param logSumExp of the scores of each query
     */
    void run(AttentionHead forward, AttentionHead gradients, int rows, float[] logSumExp) {
        Packed packed = new Packed(forward, rows);
        for (int first = 0; first < rows; first += QUERIES) {
            int count = Math.min(QUERIES, rows - first);
            start(forward, gradients, first, count);
            for (int key = 0; key < first + count; key += KEYS) {
                int n = Lanes.padded(Math.min(KEYS, first + count - key));
                recompute(packed, key, first, count, logSumExp);
                if (dropout.active()) {
                    factors(forward.element(first, key, rows), rows, count, n);
                }
                accumulateValues(packed, key, count, n);
                differentiate(packed, key, count, n);
                accumulateKeys(packed, key, count, n);
            }
            AttentionForward.scale(dQuery, 0, count * padded, scale);
            gradients.queries().unpack(dQuery, first, count);
        }
        gradients.keys().unpack(packed.dKeys, 0, rows);
        gradients.values().unpack(packed.dValues, 0, rows);
    }

    /** Keys and values of a head in scratch, and their gradients: T rows, filled up with zeros to whole tiles. */
    private final class Packed {
        private final float[] keys;
        private final float[] keysT;
        private final float[] valuesT;
        private final float[] dKeys;
        private final float[] dValues;

        Packed(AttentionHead head, int rows) {
            int length = Math.ceilDiv(rows, KEYS) * KEYS;
            keys = scratch.floats(6, length * padded);
            keysT = scratch.floats(7, length * size);
            valuesT = scratch.floats(8, length * size);
            dKeys = scratch.floats(9, length * padded);
            dValues = scratch.floats(10, length * padded);
            float[] row = scratch.floats(11, padded);
            head.keys().pack(0, rows, keys);
            Arrays.fill(keys, rows * padded, length * padded, 0f);
            head.keys().packTransposed(rows, KEYS, keysT, row);
            head.values().packTransposed(rows, KEYS, valuesT, row);
            Arrays.fill(dKeys, 0, length * padded, 0f);
            Arrays.fill(dValues, 0, length * padded, 0f);
        }
    }

    private void start(AttentionHead forward, AttentionHead gradients, int first, int count) {
        int end = Tile.paddedRows(count) * padded;
        float[] y = scratch.floats(11, padded);
        forward.queries().pack(first, count, query);
        AttentionForward.scale(query, 0, count * padded, scale);
        gradients.results().pack(first, count, dOut);
        Arrays.fill(query, count * padded, end, 0f);
        Arrays.fill(dOut, count * padded, end, 0f);
        Arrays.fill(dQuery, 0f);
        for (int i = 0; i < count; i++) {
            forward.results().read(first + i, y, 0);
            delta[i] = RowSums.dot(dOut, i * padded, y, padded);
        }
    }

    /** {@code p = exp(Q Kᵀ - logSumExp)}, 0 where a key comes after the query. */
    private void recompute(Packed packed, int key, int first, int count, float[] logSumExp) {
        int n = Lanes.padded(Math.min(KEYS, first + count - key));
        product(query, packed.keysT, key, p, count, n);
        for (int i = 0; i < count; i++) {
            int visible = Math.min(n, first + i + 1 - key);
            Arrays.fill(p, i * KEYS + visible, i * KEYS + n, Float.NEGATIVE_INFINITY);
            Exponential.run(p, i * KEYS, n, logSumExp[first + i]);
        }
    }

    private void factors(long element, int stride, int count, int n) {
        for (int i = 0; i < count; i++) {
            DropoutKernel.factors(dropout, element + (long) i * stride, factors, i * KEYS, n);
        }
    }

    /** {@code dV += (P F)ᵀ dY}. */
    private void accumulateValues(Packed packed, int key, int count, int n) {
        float[] dropped = p;
        if (dropout.active()) {
            System.arraycopy(p, 0, dp, 0, count * KEYS);
            dropped = dp;
            DropoutKernel.multiply(factors, dropped, 0, count * KEYS);
        }
        Tile left = new Tile(dropped, 0, KEYS).transpose();
        Tile.multiply(
                left, new Tile(dOut, 0, padded), new Tile(packed.dValues, key * padded, padded), n, padded, count);
    }

    /** {@code dp = P ((dY Vᵀ) F - delta)}, the gradient of the scores. */
    private void differentiate(Packed packed, int key, int count, int n) {
        product(dOut, packed.valuesT, key, dp, count, n);
        if (dropout.active()) {
            DropoutKernel.multiply(factors, dp, 0, count * KEYS);
        }
        for (int i = 0; i < count; i++) {
            softmaxGradient(i * KEYS, n, delta[i]);
        }
    }

    private void softmaxGradient(int at, int n, float rowDelta) {
        for (int j = at; j < at + n; j += Lanes.COUNT) {
            FloatVector difference = FloatVector.fromArray(Lanes.F32, dp, j).sub(rowDelta);
            difference.mul(FloatVector.fromArray(Lanes.F32, p, j)).intoArray(dp, j);
        }
    }

    /** {@code dQ += dS K}, {@code dK += dSᵀ Q}. */
    private void accumulateKeys(Packed packed, int key, int count, int n) {
        Tile dScores = new Tile(dp, 0, KEYS);
        Tile keys = new Tile(packed.keys, key * padded, padded);
        Tile.multiply(dScores, keys, new Tile(dQuery, 0, padded), Tile.paddedRows(count), padded, n);
        Tile dKeys = new Tile(packed.dKeys, key * padded, padded);
        Tile.multiply(dScores.transpose(), new Tile(query, 0, padded), dKeys, n, padded, count);
    }

    /** {@code to = rows · (tile of a transposed matrix)}. */
    private void product(float[] rows, float[] transposed, int key, float[] to, int count, int n) {
        int m = Tile.paddedRows(count);
        Arrays.fill(to, 0, m * KEYS, 0f);
        Tile.multiply(
                new Tile(rows, 0, padded), new Tile(transposed, key * size, KEYS), new Tile(to, 0, KEYS), m, n, size);
    }
}
