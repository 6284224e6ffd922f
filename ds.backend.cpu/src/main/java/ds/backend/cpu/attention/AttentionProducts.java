package ds.backend.cpu.attention;

import ds.api.DType;
import ds.backend.cpu.product.OneDnn;
import ds.backend.cpu.product.TileProduct;
import ds.backend.cpu.product.TileProduct.Layout;
import ds.backend.cpu.product.TileProduct.Shape;
import ds.backend.cpu.vector.AttentionRows;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The matrix products of attention for heads of one shape. Blocks of queries meet all keys up to their last query's own at once, so
 * that a row of scores is whole and its softmax final. How many keys a block reads is a multiple of {@link #keyStep}: a long
 * sequence needs few different products.
 */
final class AttentionProducts implements AutoCloseable {
    private static final int QUERIES = AttentionRows.QUERIES;
    private static final int MOST_STEPS = 16;

    /**
     * What a head looks like in memory.
     *
     * @param dtype of all tensors, F32 or BF16
     * @param time T
     * @param size D
     * @param channels C: elements from a row of y to the next; a row of qkv has three times as many
     */
    record HeadShape(DType dtype, int time, int size, long channels) {}

    /**
     * The products for one block of queries.
     *
     * @param first position of the first query
     * @param count queries
     * @param keys that are read
     * @param scores {@code Q Kᵀ}
     * @param results {@code P V}
     * @param dProbabilities {@code dY Vᵀ}
     * @param dQueries {@code dS K}
     * @param dKeys {@code dSᵀ Q}, added to; the block of the last queries, which sees all keys, overwrites
     * @param dValues {@code Pᵀ dY}, likewise
     */
    record Block(
            int first,
            int count,
            int keys,
            TileProduct scores,
            TileProduct results,
            TileProduct dProbabilities,
            TileProduct dQueries,
            TileProduct dKeys,
            TileProduct dValues) {
        AttentionRows.Block of(long head) {
            return new AttentionRows.Block(head, first, count, keys);
        }
    }

    private final OneDnn library;
    private final int workers;
    private final Map<Shape, TileProduct> products = new HashMap<>();
    private final List<Block> blocks = new ArrayList<>();
    private final long scratchpadBytes;

    AttentionProducts(OneDnn library, HeadShape head, int workers) {
        this.library = library;
        this.workers = workers;
        int step = keyStep(head.time);
        for (int first = 0; first < head.time; first += QUERIES) {
            int count = Math.min(QUERIES, head.time - first);
            blocks.add(block(head, first, count, Math.min(head.time, Math.ceilDiv(first + count, step) * step)));
        }
        this.scratchpadBytes = products.values().stream()
                .mapToLong(TileProduct::scratchpadBytes)
                .max()
                .orElseThrow();
    }

    private static int keyStep(int time) {
        return Math.ceilDiv(time, MOST_STEPS * QUERIES) * QUERIES;
    }

    private Block block(HeadShape head, int first, int count, int keys) {
        long d = head.size;
        Layout rows = Layout.of(head.dtype, false, 3 * head.channels); // of queries, keys or values
        Layout columns = Layout.of(head.dtype, true, 3 * head.channels);
        Layout dResults = Layout.of(head.dtype, false, head.channels);
        long stride = new AttentionRows.Block(0, first, count, keys).stride();
        Layout scores = Layout.of(DType.F32, false, stride);
        Layout probabilities = Layout.of(head.dtype, false, stride);
        Layout transposed = Layout.of(head.dtype, true, stride);
        Layout sums = Layout.of(DType.F32, false, d);
        boolean add = first + count < head.time;
        return new Block(
                first,
                count,
                keys,
                product(new Shape(count, keys, d, rows, columns, scores, false, false)),
                product(new Shape(count, d, keys, probabilities, rows, sums, false, false)),
                product(new Shape(count, keys, d, dResults, columns, scores, false, false)),
                product(new Shape(count, d, keys, probabilities, rows, sums, false, false)),
                product(new Shape(keys, d, count, transposed, rows, sums, false, add)),
                product(new Shape(keys, d, count, transposed, dResults, sums, false, add)));
    }

    private TileProduct product(Shape shape) {
        return products.computeIfAbsent(shape, s -> new TileProduct(library, s, workers));
    }

    /** {@return in the order of queries} */
    List<Block> blocks() {
        return blocks;
    }

    /** {@return bytes of working memory that the largest product needs} */
    long scratchpadBytes() {
        return scratchpadBytes;
    }

    @Override
    public void close() {
        products.values().forEach(TileProduct::close);
    }
}
