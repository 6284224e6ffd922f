package ds.backend.cpu.vector;

import ds.api.Attention;
import ds.api.Dropout;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;

/**
 * Causal multi-head self-attention, forward, backward and with a cache, in memory linear in T; parts are heads, numbered
 * {@code b · NH + h}. See {@link ds.api.Kernels#attention} for the operands.
 */
public final class AttentionKernel {
    private AttentionKernel() {}

    /**
     * The results and logSumExp of some heads.
     *
     * @param qkv {@code [B, T, 3C]}
     * @param y {@code [B, T, C]}
     * @param logSumExp F32 {@code [B, NH, T]}
     * @param part heads, in [0, B · NH)
     */
    public static void forward(Tensor qkv, Attention attention, Tensor y, Tensor logSumExp, Part part) {
        Heads heads = new Heads(qkv, attention.heads());
        int t = heads.time();
        AttentionForward forward = new AttentionForward(heads.size(), attention.dropout(), part.scratch());
        float[] rows = part.scratch().floats(15, Lanes.padded(t));
        Elements from = Elements.of(qkv);
        Elements to = Elements.of(y);
        Elements sums = Elements.of(logSumExp);
        for (long head = part.first(); head < part.last(); head++) {
            forward.run(heads.head(from, to, head), t, 0, rows);
            sums.write(rows, 0, head * t, t);
        }
    }

    /**
     * The gradient of queries, keys and values of some heads.
     *
     * @param dy {@code [B, T, C]}
     * @param qkv as in the forward pass
     * @param y the forward pass's result
     * @param logSumExp the forward pass's result
     * @param dqkv {@code [B, T, 3C]}; the columns of the part's heads are overwritten
     * @param part heads, in [0, B · NH)
     */
    public static void backward(
            Tensor dy, Tensor qkv, Attention attention, Tensor y, Tensor logSumExp, Tensor dqkv, Part part) {
        Heads heads = new Heads(qkv, attention.heads());
        int t = heads.time();
        AttentionBackward backward = new AttentionBackward(heads.size(), attention.dropout(), part.scratch());
        float[] rows = part.scratch().floats(15, Lanes.padded(t));
        Elements sums = Elements.of(logSumExp);
        for (long head = part.first(); head < part.last(); head++) {
            sums.read(head * t, rows, 0, t);
            AttentionHead forward = heads.head(Elements.of(qkv), Elements.of(y), head);
            backward.run(forward, heads.head(Elements.of(dqkv), Elements.of(dy), head), t, rows);
        }
    }

    /**
     * The results of some heads for T new positions, whose keys and values have been appended to the cache by
     * {@link #append}.
     *
     * @param qkv of the new positions, {@code [B, T, 3C]}
     * @param keys {@code [B, at least past + T, C]}
     * @param values {@code [B, at least past + T, C]}
     * @param past positions before the new ones
     * @param y {@code [B, T, C]}
     * @param part heads, in [0, B · NH)
     */
    public static void cached(Tensor qkv, Tensor keys, Tensor values, long past, int heads, Tensor y, Part part) {
        Heads all = new Heads(qkv, heads);
        AttentionForward forward = new AttentionForward(all.size(), Dropout.NONE, part.scratch());
        float[] rows = part.scratch().floats(15, Lanes.padded(all.time()));
        for (long head = part.first(); head < part.last(); head++) {
            AttentionHead fresh = all.head(Elements.of(qkv), Elements.of(y), head);
            HeadRows k = all.cache(keys, head);
            HeadRows v = all.cache(values, head);
            AttentionHead whole = new AttentionHead(fresh.queries(), k, v, fresh.results(), head);
            forward.run(whole, all.time(), Math.toIntExact(past), rows);
        }
    }

    /**
     * Appends the keys and values of T new positions to the cache at position {@code past}.
     *
     * @param part rows of qkv, in [0, B · T)
     */
    public static void append(Tensor qkv, Tensor keys, Tensor values, long past, Part part) {
        long t = qkv.shape().dim(1);
        long c = qkv.shape().dim(2) / 3;
        long capacity = keys.shape().dim(1);
        float[] row = part.scratch().floats(0, Lanes.padded((int) c));
        Elements from = Elements.of(qkv);
        for (long i = part.first(); i < part.last(); i++) {
            long at = (i / t * capacity + past + i % t) * c;
            from.read((3 * i + 1) * c, row, 0, (int) c);
            Elements.of(keys).write(row, 0, at, (int) c);
            from.read((3 * i + 2) * c, row, 0, (int) c);
            Elements.of(values).write(row, 0, at, (int) c);
        }
    }

    /** Where the heads of one call lie. */
    private record Heads(int time, int channels, int count) {
        Heads(Tensor qkv, int count) {
            this(
                    Math.toIntExact(qkv.shape().dim(1)),
                    Math.toIntExact(qkv.shape().dim(2) / 3),
                    count);
        }

        int size() {
            return channels / count;
        }

        /** {@return a head of {@code [B, T, 3C]} and {@code [B, T, C]}} */
        AttentionHead head(Elements qkv, Elements y, long head) {
            long row = head / count * time;
            long column = head % count * size();
            long stride = 3L * channels;
            HeadRows queries = new HeadRows(qkv, row * stride + column, stride, size());
            HeadRows keys = new HeadRows(qkv, row * stride + channels + column, stride, size());
            HeadRows values = new HeadRows(qkv, row * stride + 2L * channels + column, stride, size());
            HeadRows results = new HeadRows(y, row * channels + column, channels, size());
            return new AttentionHead(queries, keys, values, results, head);
        }

        /** {@return a head of {@code [B, capacity, C]}} */
        HeadRows cache(Tensor cache, long head) {
            long row = head / count * cache.shape().dim(1);
            return new HeadRows(Elements.of(cache), row * channels + head % count * size(), channels, size());
        }
    }
}
