package ds.backend.cpu.vector;

import ds.api.Dropout;
import ds.backend.cpu.threads.Scratch;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Causal attention of one head without its matrix of scores: blocks of queries meet tiles of keys, and the softmax is corrected
 * as larger scores turn up (Milakov &amp; Gimelshein, arXiv:1805.02867; Dao et al., arXiv:2205.14135, Algorithm 1). Memory
 * besides the tensors: twice T times D floats of the thread's scratch. Takes head after head; belongs to one thread.
 */
final class AttentionForward {
    /** Queries of a block. */
    static final int QUERIES = 32;

    /** Keys of a tile; a multiple of two vectors. */
    static final int KEYS = 64;

    private final int size;
    private final int padded;
    private final Dropout dropout;
    private final Scratch scratch;
    private final float[] query;
    private final float[] scores;
    private final float[] out;
    private final float[] factors;
    private final float[] max = new float[QUERIES];
    private final float[] sum = new float[QUERIES];

    /**
     * Prepares for heads of one size.
     *
     * @param size D
     * @param dropout of the probabilities
     */
    AttentionForward(int size, Dropout dropout, Scratch scratch) {
        this.size = size;
        this.padded = Lanes.padded(size);
        this.dropout = dropout;
        this.scratch = scratch;
        this.query = scratch.floats(0, QUERIES * padded);
        this.scores = scratch.floats(1, QUERIES * KEYS);
        this.out = scratch.floats(2, QUERIES * padded);
        this.factors = scratch.floats(3, KEYS);
    }

    /**
     * Queries at positions {@code past} to {@code past + rows} attend to the keys at positions up to their own.
     *
     * @param rows queries, and results
     * @param past positions before the first query; {@code past + rows} keys and values are read
     * @param logSumExp of the scores of each query; at least {@code rows}
     */
    void run(AttentionHead head, int rows, int past, float[] logSumExp) {
        int length = past + rows;
        int tiles = Math.ceilDiv(length, KEYS);
        float[] keys = scratch.floats(4, tiles * KEYS * size);
        float[] values = scratch.floats(5, tiles * KEYS * padded);
        head.keys().packTransposed(length, KEYS, keys, scratch.floats(6, padded));
        head.values().pack(0, length, values);
        Arrays.fill(values, length * padded, tiles * KEYS * padded, 0f); // 0 times what was left there could be NaN
        for (int first = 0; first < rows; first += QUERIES) {
            int count = Math.min(QUERIES, rows - first);
            start(head, first, count);
            for (int key = 0; key < past + first + count; key += KEYS) {
                Tile k = new Tile(keys, key * size, KEYS);
                int n = probabilities(k, count, past + first - key, head.element(first, key, rows), rows);
                multiply(scores, new Tile(values, key * padded, padded), count, n);
            }
            finish(head, first, count, logSumExp);
        }
    }

    private void start(AttentionHead head, int first, int count) {
        head.queries().pack(first, count, query);
        scale(query, 0, count * padded, (float) (1 / Math.sqrt(size)));
        Arrays.fill(query, count * padded, Tile.paddedRows(count) * padded, 0f);
        Arrays.fill(out, 0f);
        Arrays.fill(max, Float.NEGATIVE_INFINITY);
        Arrays.fill(sum, 0f);
    }

    /**
     * {@code scores = exp(Q Kᵀ - max)} for one tile, with the new max, the old results scaled to it, and dropout.
     *
     * @param offset of the first query's position from the tile's first key; a key is seen if it is not after the query
     * @param element of dropout, of the first query and the first key
     * @param stride from a query's element to the next one's
     * @return how many keys there are for the last query, in whole vectors
     */
    private int probabilities(Tile keys, int count, int offset, long element, int stride) {
        int n = Lanes.padded(Math.min(KEYS, offset + count));
        Arrays.fill(scores, 0, Tile.paddedRows(count) * KEYS, 0f);
        Tile.multiply(new Tile(query, 0, padded), keys, new Tile(scores, 0, KEYS), Tile.paddedRows(count), n, size);
        for (int i = 0; i < count; i++) {
            int visible = Math.clamp(offset + i + 1L, 0, n);
            Arrays.fill(scores, i * KEYS + visible, i * KEYS + n, Float.NEGATIVE_INFINITY);
            if (visible == 0) {
                Arrays.fill(scores, i * KEYS, i * KEYS + n, 0f);
                continue;
            }
            raiseMax(i, RowSums.max(scores, i * KEYS, n));
            sum[i] += Exponential.run(scores, i * KEYS, n, max[i]);
            if (dropout.active()) {
                DropoutKernel.factors(dropout, element + (long) i * stride, factors, 0, n);
                DropoutKernel.multiply(factors, scores, i * KEYS, n);
            }
        }
        return n;
    }

    private void raiseMax(int i, float tileMax) {
        if (tileMax <= max[i]) {
            return; // not so for NaN, which thereby stays
        }
        float factor = (float) Math.exp(max[i] - tileMax);
        sum[i] *= factor;
        scale(out, i * padded, padded, factor);
        max[i] = tileMax;
    }

    private void multiply(float[] probabilities, Tile values, int count, int n) {
        Tile p = new Tile(probabilities, 0, KEYS);
        Tile.multiply(p, values, new Tile(out, 0, padded), Tile.paddedRows(count), padded, n);
    }

    private void finish(AttentionHead head, int first, int count, float[] logSumExp) {
        for (int i = 0; i < count; i++) {
            scale(out, i * padded, padded, 1 / sum[i]);
            logSumExp[first + i] = (float) (max[i] + Math.log(sum[i]));
        }
        head.results().unpack(out, first, count);
    }

    /** {@code x[at .. at + n) *= factor}; n is a multiple of {@link Lanes#COUNT}. */
    static void scale(float[] x, int at, int n, float factor) {
        for (int i = at; i < at + n; i += Lanes.COUNT) {
            FloatVector.fromArray(Lanes.F32, x, i).mul(factor).intoArray(x, i);
        }
    }
}
