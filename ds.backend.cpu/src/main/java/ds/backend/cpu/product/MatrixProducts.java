package ds.backend.cpu.product;

import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Rows;
import ds.api.DType;
import ds.api.Tensor;
import ds.api.spi.HostBuffer;
import ds.backend.cpu.core.Copies;
import ds.backend.cpu.core.Panels;
import ds.backend.cpu.memory.WorkMemory;
import ds.backend.cpu.product.TileProduct.Layout;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.WorkerPool;
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
 * <p>On that machine, oneDNN reads a right factor as it lies in memory at half its speed or less where the rows are a multiple of
 * the page size apart, and knows no BF16 at all. So the right factor is first made into {@link Panels} in F32, and what is not
 * F32 is converted, in blocks ({@link Blocking}). With AVX-512 neither is needed: {@link #direct}.
 */
public final class MatrixProducts implements AutoCloseable {
    // With fewer rows than these, rearranging the right factor takes longer than it saves; oneDNN transposes faster
    // than we do.
    private static final long FEW_ROWS = 32;
    private static final long FEW_ROWS_TRANSPOSED = 512;

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
        run(new Product(a, b, NO_BIAS, c, add));
    }

    /** {@code c = a · b + bias}, which is {@code [n]}. One call at a time. */
    public synchronized void multiplyAndAddBias(Operand a, Operand b, Tensor bias, Tensor c) {
        Tensor converted = biases.f32(bias.elements());
        pool.run(1, 1, (part, worker) -> Copies.copy(new Part(0, bias.elements(), part.scratch()), bias, converted));
        run(new Product(a, b, converted.address(), c, false));
    }

    private static void run(Product product) {
        if (product.direct) {
            product.multiplyBlock(0, 0, 0);
        } else {
            product.multiplyBlocks();
        }
    }

    /** {@return whether oneDNN multiplies these types as they are, and as fast as the machine can} */
    private boolean direct(Operand a, Operand b, Tensor c) {
        long fewRows = b.transposed() ? FEW_ROWS_TRANSPOSED : FEW_ROWS;
        return switch (a.tensor().dtype()) {
            case F32 -> c.dtype() == DType.F32 && (library.hasAvx512() || a.rows() <= fewRows);
            case BF16 -> c.dtype() != DType.F16 && library.hasBf16();
            case F16, F64, I32 -> false;
        };
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
        private final boolean direct;
        private final boolean convertLeft;
        private final boolean convertResult;
        private final long m;
        private final long n;
        private final long k;
        private final Blocking blocking;

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
            this.direct = direct(a, b, c);
            this.convertLeft = !direct && a.tensor().dtype() != DType.F32;
            this.convertResult = !direct && c.dtype() != DType.F32;
            this.m = a.rows();
            this.n = b.columns();
            this.k = a.columns();
            this.blocking = direct
                    ? Blocking.direct(m, n, k, a.transposed())
                    : Blocking.packed(m, n, k, !convertLeft && !convertResult);
        }

        void multiplyBlocks() {
            for (long i = 0; i < m; i += blocking.rows()) {
                for (long j = 0; j < n; j += blocking.columns()) {
                    for (long l = 0; l < k; l += blocking.depth()) {
                        pack(j, l);
                        if (convertLeft) {
                            convertLeft(i, l);
                        }
                        multiplyBlock(i, j, l);
                    }
                }
            }
        }

        private void pack(long j, long l) {
            long columns = Math.min(blocking.columns(), n - j);
            Panels.Block block = new Panels.Block(b, l, j, Math.min(blocking.depth(), k - l), columns);
            Tensor to = right.f32(block.elements());
            pool.run(block.pieces(), 1, (part, worker) -> Panels.pack(part, block, to.host()));
        }

        private void convertLeft(long i, long l) {
            long rows = Math.min(blocking.rows(), m - i);
            long depth = Math.min(blocking.depth(), k - l);
            Tensor to = left.f32(rows * depth);
            long stride = a.tensor().shape().columns();
            if (a.transposed()) {
                Rows from = new Rows(a.tensor(), l * stride + i, stride);
                pool.run(depth, 16, (part, w) -> Copies.copyRows(part, from, new Rows(to, 0, rows), rows));
            } else {
                Rows from = new Rows(a.tensor(), i * stride + l, stride);
                pool.run(rows, 16, (part, w) -> Copies.copyRows(part, from, new Rows(to, 0, depth), depth));
            }
        }

        void multiplyBlock(long i, long j, long l) {
            long rows = Math.min(blocking.rows(), m - i);
            long columns = Math.min(blocking.columns(), n - j);
            long across = Math.ceilDiv(columns, blocking.tileColumns());
            Tensor sums = convertResult ? result.f32(rows * columns) : c;
            Block block = new Block(i, j, l, rows, columns);
            reserveScratchpads(block, sums);
            pool.run(Math.ceilDiv(rows, blocking.tileRows()) * across, 1, (part, worker) -> {
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
                    Math.min(blocking.depth(), k - block.l),
                    leftLayout(block),
                    direct ? operandLayout(b) : Layout.PANELS,
                    Layout.of(sums.dtype(), false, convertResult ? block.columns : n),
                    bias != NO_BIAS && block.l == 0,
                    add || block.l > 0));
        }

        private void multiplyTile(Block block, long row, long column, Tensor sums, Part part, int worker) {
            long rows = Math.min(blocking.tileRows(), block.rows - row);
            long columns = Math.min(blocking.tileColumns(), block.columns - column);
            long depth = Math.min(blocking.depth(), k - block.l);
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
            if (convertResult && block.l + depth == k) {
                Copies.copyRows(all, own, target, columns);
            }
        }

        private Layout leftLayout(Block block) {
            if (!convertLeft) {
                return operandLayout(a);
            }
            long depth = Math.min(blocking.depth(), k - block.l);
            return Layout.of(DType.F32, a.transposed(), a.transposed() ? block.rows : depth);
        }

        private long leftAddress(Block block, long row) {
            Layout layout = leftLayout(block);
            return convertLeft
                    ? left.address(1) + layout.byteOffset(row, 0)
                    : a.tensor().address() + layout.byteOffset(block.i + row, block.l);
        }

        private long rightAddress(Block block, long column) {
            if (direct) {
                return b.tensor().address() + operandLayout(b).byteOffset(block.l, block.j + column);
            }
            long depth = Math.min(blocking.depth(), k - block.l);
            return right.address(1) + column / Panels.WIDTH * Panels.elements(depth) * Float.BYTES;
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
    private record Block(long i, long j, long l, long rows, long columns) {}
}
