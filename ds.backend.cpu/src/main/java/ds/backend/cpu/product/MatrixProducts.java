package ds.backend.cpu.product;

import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Rows;
import ds.api.DType;
import ds.api.Tensor;
import ds.api.spi.HostBuffer;
import ds.backend.cpu.core.Copies;
import ds.backend.cpu.core.LeftRows;
import ds.backend.cpu.core.Panels;
import ds.backend.cpu.memory.WorkMemory;
import ds.backend.cpu.product.TileProduct.Layout;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.WorkerPool;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongFunction;

/**
 * Matrix products: oneDNN multiplies tiles, each in one thread, and our own threads share the tiles.
 *
 * <p>Why not oneDNN's OpenMP threads: they spin between kernels and so take the cores from our workers and from another rank, and
 * a call ends with its slowest thread, while our tiles go to whichever thread is free. Measured in F32 on two cores of an AMD
 * EPYC of the third generation (AVX2, peak about 95 GFLOP/s per core), each for GPT-2 of 124M parameters and 1024 tokens, in
 * GFLOP per second of processor time, while other jobs wanted the same cores:
 *
 * <pre>
 *                          OpenMP     OpenMP, panels     tiles, as here
 * x·Wqkv   [768, 2304]         54                 59                 65
 * x·Wfc    [768, 3072]         33                 63                 66
 * h·Wproj  [3072, 768]         52                 66                 76
 * dh·Wfcᵀ  [3072, 768]         54                 58                 63
 * dW += xᵀ·dh                  32                 48                 69
 * logits   [768, 50257]ᵀ       61                 58                 67
 * </pre>
 *
 * <p>What a kernel of oneDNN reads it reads fastest front to back. As factors lie in memory they cost it a fifth of its speed and
 * more: rows that are a multiple of the page size apart meet in few places of the cache, and every tile rearranges again what it
 * cannot use as it is. So the right factor is made into {@link Panels} beforehand, and a left one that lies transposed into
 * {@link LeftRows}, by our threads together, where that is worth it ({@link Factors}). What the processor does not multiply itself
 * is converted to F32 on the way. All this happens in blocks ({@link Blocking}), so that the memory that it needs is bounded.
 */
public final class MatrixProducts implements AutoCloseable {
    private static final long NO_BIAS = 0;

    private final OneDnn library;
    private final WorkerPool pool;
    private final WorkMemory left;
    private final WorkMemory right;
    private final WorkMemory result;
    private final WorkMemory biases;
    private final WorkMemory[] scratchpads;
    private final Map<TileProduct.Shape, TileProduct> tiles = new ConcurrentHashMap<>();

    /**
     * Allocates nothing yet.
     *
     * @param pool whose threads share the tiles; borrowed
     * @param allocator of working memory
     */
    public MatrixProducts(OneDnn library, WorkerPool pool, LongFunction<HostBuffer> allocator) {
        this.library = library;
        this.pool = pool;
        this.left = new WorkMemory(allocator);
        this.right = new WorkMemory(allocator);
        this.result = new WorkMemory(allocator);
        this.biases = new WorkMemory(allocator);
        this.scratchpads = new WorkMemory[pool.threads()];
        for (int i = 0; i < scratchpads.length; i++) {
            scratchpads[i] = new WorkMemory(allocator);
        }
    }

    /** {@code c = a · b}, plus what was in c if {@code add}. One call at a time. */
    public synchronized void multiply(Operand a, Operand b, Tensor c, boolean add) {
        new Product(a, b, NO_BIAS, c, add).run();
    }

    /** {@code c = a · b + bias}, which is {@code [n]}. One call at a time. */
    public synchronized void multiplyAndAddBias(Operand a, Operand b, Tensor bias, Tensor c) {
        Tensor converted = biases.f32(bias.elements());
        pool.run(1, 1, (part, worker) -> Copies.copy(new Part(0, bias.elements(), part.scratch()), bias, converted));
        new Product(a, b, converted.address(), c, false).run();
    }

    @Override
    public void close() {
        tiles.values().forEach(TileProduct::close);
        left.close();
        right.close();
        result.close();
        biases.close();
        for (WorkMemory scratchpad : scratchpads) {
            scratchpad.close();
        }
    }

    /** One product. */
    private final class Product {
        private final Operand a;
        private final Operand b;
        private final long bias;
        private final Tensor c;
        private final boolean add;
        private final long m;
        private final long n;
        private final long k;
        private final Factors factors;
        private final boolean convertResult;
        private final Blocking blocking;
        private Block packed = Block.NONE; // of the right factor
        private Block prepared = Block.NONE; // of the left factor

        Product(Operand a, Operand b, long bias, Tensor c, boolean add) {
            if (a.columns() != b.rows() || c.elements() != a.rows() * b.columns()) {
                throw new IllegalArgumentException("matmul of [" + a.rows() + ", " + a.columns() + "] and [" + b.rows()
                        + ", " + b.columns() + "] into " + c + ": the dims do not fit together");
            }
            if (a.tensor().dtype() != b.tensor().dtype()) {
                throw new IllegalArgumentException("matmul of " + a.tensor() + " and " + b.tensor()
                        + ": both must have the same type; copy one first");
            }
            this.a = a;
            this.b = b;
            this.bias = bias;
            this.c = c;
            this.add = add;
            this.m = a.rows();
            this.n = b.columns();
            this.k = a.columns();
            this.factors = Factors.of(library, a, b, c.dtype());
            this.convertResult = factors.convertsResult(c.dtype(), k);
            this.blocking = factors.blocking(m, n, k, convertResult);
        }

        void run() {
            for (long i = 0; i < m; i += blocking.rows()) {
                for (long j = 0; j < n; j += blocking.columns()) {
                    for (long l = 0; l < k; l += blocking.depth()) {
                        multiply(block(i, j, l));
                    }
                }
            }
        }

        private Block block(long i, long j, long l) {
            return new Block(
                    i,
                    j,
                    l,
                    Math.min(blocking.rows(), m - i),
                    Math.min(blocking.columns(), n - j),
                    Math.min(blocking.depth(), k - l));
        }

        private void multiply(Block block) {
            if (block.j != packed.j || block.l != packed.l) {
                factors.panels().ifPresent(format -> pack(block, format));
                packed = block;
            }
            if (block.i != prepared.i || block.l != prepared.l) {
                prepareLeft(block);
                prepared = block;
            }
            multiplyTiles(block);
        }

        private void pack(Block block, Panels.Format format) {
            Panels.Block factor = new Panels.Block(b, block.l, block.j, block.depth, block.columns);
            MemorySegment to = right.memory(factor.bytes(format));
            pool.run(factor.pieces(format), 1, (part, worker) -> Panels.pack(part, factor, format, to));
        }

        private void prepareLeft(Block block) {
            switch (factors.left()) {
                case AS_IT_IS -> {}
                case ROWS -> transposeLeft(block);
                case CONVERTED -> convertLeft(block);
            }
        }

        private void transposeLeft(Block block) {
            LeftRows.Block factor = leftRows(block);
            MemorySegment to = left.memory(factor.bytes());
            pool.run(factor.pieces(), 1, (part, worker) -> LeftRows.transpose(part, factor, to));
        }

        private LeftRows.Block leftRows(Block block) {
            return new LeftRows.Block(a, block.i, block.l, block.rows, block.depth);
        }

        private void convertLeft(Block block) {
            long rows = block.rows;
            long depth = block.depth;
            Tensor to = left.f32(rows * depth);
            long stride = a.tensor().shape().columns();
            if (a.transposed()) {
                Rows from = new Rows(a.tensor(), block.l * stride + block.i, stride);
                pool.run(depth, 16, (part, w) -> Copies.copyRows(part, from, new Rows(to, 0, rows), rows));
            } else {
                Rows from = new Rows(a.tensor(), block.i * stride + block.l, stride);
                pool.run(rows, 16, (part, w) -> Copies.copyRows(part, from, new Rows(to, 0, depth), depth));
            }
        }

        private void multiplyTiles(Block block) {
            long across = Math.ceilDiv(block.columns, blocking.tileColumns());
            Tensor sums = convertResult ? result.f32(block.rows * block.columns) : c;
            reserveScratchpads(block, sums);
            pool.run(Math.ceilDiv(block.rows, blocking.tileRows()) * across, 1, (part, worker) -> {
                for (long tile = part.first(); tile < part.last(); tile++) {
                    long row = tile / across * blocking.tileRows();
                    long column = tile % across * blocking.tileColumns();
                    multiplyTile(block, row, column, sums, part, worker);
                }
            });
        }

        /** For every worker, whether or not it gets a tile this time: which one computes what is chance, what is allocated is not. */
        private void reserveScratchpads(Block block, Tensor sums) {
            long lastRow = (block.rows - 1) / blocking.tileRows() * blocking.tileRows();
            long lastColumn = (block.columns - 1) / blocking.tileColumns() * blocking.tileColumns();
            long first = Math.max(
                    tileAt(block, 0, 0, sums).scratchpadBytes(),
                    tileAt(block, 0, lastColumn, sums).scratchpadBytes());
            long last = Math.max(
                    tileAt(block, lastRow, 0, sums).scratchpadBytes(),
                    tileAt(block, lastRow, lastColumn, sums).scratchpadBytes());
            for (WorkMemory scratchpad : scratchpads) {
                scratchpad.address(Math.max(first, last));
            }
        }

        /** {@return the product for the tile that begins at this row and column of a block} */
        private TileProduct tileAt(Block block, long row, long column, Tensor sums) {
            return tile(new TileProduct.Shape(
                    Math.min(blocking.tileRows(), block.rows - row),
                    Math.min(blocking.tileColumns(), block.columns - column),
                    block.depth,
                    leftLayout(block),
                    factors.panels().map(Layout::of).orElseGet(() -> operandLayout(b)),
                    Layout.of(sums.dtype(), false, convertResult ? block.columns : n),
                    bias != NO_BIAS && block.l == 0,
                    add || block.l > 0));
        }

        private void multiplyTile(Block block, long row, long column, Tensor sums, Part part, int worker) {
            long rows = Math.min(blocking.tileRows(), block.rows - row);
            long columns = Math.min(blocking.tileColumns(), block.columns - column);
            Rows own = new Rows(sums, row * block.columns + column, block.columns);
            Rows target = new Rows(c, (block.i + row) * n + block.j + column, n);
            Part all = new Part(0, rows, part.scratch());
            if (convertResult && add && block.l == 0) {
                Copies.copyRows(all, target, own, columns);
            }
            TileProduct tile = tileAt(block, row, column, sums);
            long sumAt = convertResult ? own.first() : target.first();
            tile.run(
                    library,
                    worker,
                    leftAddress(block, row),
                    rightAddress(block, column),
                    bias == NO_BIAS ? NO_BIAS : bias + (block.j + column) * Float.BYTES,
                    sums.address() + sumAt * sums.dtype().byteSize(),
                    scratchpads[worker].address(tile.scratchpadBytes()));
            if (convertResult && block.l + block.depth == k) {
                Copies.copyRows(all, own, target, columns);
            }
        }

        private Layout leftLayout(Block block) {
            return switch (factors.left()) {
                case AS_IT_IS -> operandLayout(a);
                case ROWS ->
                    Layout.of(a.tensor().dtype(), false, leftRows(block).stride());
                case CONVERTED -> Layout.of(DType.F32, a.transposed(), a.transposed() ? block.rows : block.depth);
            };
        }

        private long leftAddress(Block block, long row) {
            Layout layout = leftLayout(block);
            return factors.left() == Factors.Left.AS_IT_IS
                    ? a.tensor().address() + layout.byteOffset(block.i + row, block.l)
                    : left.address(1) + layout.byteOffset(row, 0);
        }

        private long rightAddress(Block block, long column) {
            return factors.panels()
                    .map(format -> right.address(1) + column / format.width() * format.panelBytes(block.depth))
                    .orElseGet(() -> b.tensor().address() + operandLayout(b).byteOffset(block.l, block.j + column));
        }

        private static Layout operandLayout(Operand operand) {
            Tensor tensor = operand.tensor();
            return Layout.of(
                    tensor.dtype(), operand.transposed(), tensor.shape().columns());
        }

        private TileProduct tile(TileProduct.Shape shape) {
            return tiles.computeIfAbsent(shape, s -> new TileProduct(library, s, pool.threads()));
        }
    }

    /** A block of a product, by its first row, column and depth. */
    private record Block(long i, long j, long l, long rows, long columns, long depth) {
        /** None yet. */
        static final Block NONE = new Block(-1, -1, -1, 0, 0, 0);
    }
}
