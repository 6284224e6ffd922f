package ds.backend.cuda;

import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.backend.cuda.launch.Codes;
import ds.backend.cuda.launch.CudaStream;
import ds.backend.cuda.launch.Launcher;
import ds.backend.cuda.launch.WorkMemory;
import ds.backend.cuda.product.Products;
import ds.cuda.CudaDevice;

/**
 * The core kernels, enqueued on one stream. How work is cut depends on sizes alone, so that the bits are those of any device; only where it
 * says so, on the device too.
 */
abstract class CudaCoreKernels implements Kernels, AutoCloseable {
    static final int THREADS = 256;

    private static final int QUAD = 4; // elements of a thread at a time
    private static final int ROWS_AT_ONCE = 1 << 20; // blocks; each goes on with another row
    private static final int SUM_COLUMNS = 128; // of a block that sums columns
    private static final int SUM_ROWS = 8; // threads of such a block that share a column
    private static final int SUM_PARTS = 128; // parts into which rows are cut at most
    private static final int SQUARE_BLOCKS = 1024;

    private final CudaBackend backend;
    private final CudaDevice device;
    private final CudaStream stream;
    private final Products products;
    final Launcher launcher;
    final WorkMemory work;
    private final WorkMemory productMemory;
    private final ScatterAdd scatterAdd;

    CudaCoreKernels(CudaBackend backend, CudaStream stream, Launcher launcher, Products products) {
        this.backend = backend;
        this.device = backend.cuda();
        this.stream = stream;
        this.launcher = launcher;
        this.products = products;
        this.work = new WorkMemory(bytes -> backend.allocate(bytes, "kernels"), stream);
        this.productMemory = new WorkMemory(bytes -> backend.allocate(bytes, "matmul"), stream);
        this.scatterAdd = new ScatterAdd(launcher, work);
    }

    @Override
    public TensorBackend backend() {
        return backend;
    }

    @Override
    public Stream stream() {
        return stream;
    }

    /** {@return how many blocks work on elements} */
    static long quads(long elements) {
        return Launcher.blocks(elements, QUAD * THREADS);
    }

    static long rowBlocks(long rows) {
        return Math.min(rows, ROWS_AT_ONCE);
    }

    /** {@return the columns of a matrix as kernels of rows take them} */
    static int columns(Tensor matrix) {
        return Math.toIntExact(matrix.shape().columns());
    }

    @Override
    public void fill(Tensor y, double value) {
        long bits = bits(y.dtype(), value);
        switch (y.dtype().byteSize()) {
            case 2 -> device.fill2(y.address(), (short) bits, y.elements(), stream.handle());
            case 4 -> device.fill4(y.address(), (int) bits, y.elements(), stream.handle());
            default ->
                launcher.of("elementwise", "fill8")
                        .address(y)
                        .number(bits)
                        .number(y.elements())
                        .run(Launcher.blocks(y.elements(), THREADS), THREADS);
        }
    }

    private static long bits(DType dtype, double value) {
        return switch (dtype) {
            case F32 -> Float.floatToRawIntBits((float) value);
            case BF16 -> ds.api.Bf16.nearest((float) value);
            case F16 -> Float.floatToFloat16((float) value);
            case F64 -> Double.doubleToRawLongBits(value);
            case I32 -> (int) value;
        };
    }

    @Override
    public void copy(Tensor x, Tensor y) {
        Checks.sameElements("copy", x, y);
        if (x.dtype() == y.dtype()) {
            device.copy(x.address(), y.address(), x.byteSize(), stream.handle());
        } else {
            launcher.of("elementwise", "convert")
                    .typed(x)
                    .typed(y)
                    .number(x.elements())
                    .run(quads(x.elements()), THREADS);
        }
    }

    @Override
    public void copyRows(Rows x, Rows y, long rows, long columns) {
        requireInside(x, rows, columns);
        requireInside(y, rows, columns);
        launcher.of("elementwise", "copy_rows")
                .typed(x.tensor())
                .number(x.first())
                .number(x.stride())
                .typed(y.tensor())
                .number(y.first())
                .number(y.stride())
                .number(rows)
                .number(columns)
                .run(rowBlocks(rows), THREADS);
    }

    private static void requireInside(Rows part, long rows, long columns) {
        long end = part.first() + (rows - 1) * part.stride() + columns;
        if (rows < 1 || columns < 1 || part.first() < 0 || end > part.tensor().elements()) {
            throw new IllegalArgumentException("copyRows: " + rows + " rows of " + columns + " elements from element "
                    + part.first() + " at a stride of " + part.stride() + " are not inside " + part.tensor());
        }
    }

    @Override
    public void matmul(Operand a, Operand b, Tensor c, float beta) {
        requireProduct("matmul", a, b, c);
        product(a, b, c, Products.Ending.NONE, beta(beta));
    }

    static void requireProduct(String call, Operand a, Operand b, Tensor c) {
        Checks.equal(call, "rows of the second factor", a.columns(), b.rows());
        Checks.equal(call, "elements of the product", a.rows() * b.columns(), c.elements());
    }

    /** Enqueues a product; returns whether it could be with this ending. */
    final boolean product(Operand a, Operand b, Tensor c, Products.Ending ending, boolean add) {
        Tensor matrix = c.reshape(a.rows(), b.columns());
        return products.run(a, b, matrix, ending, add, new Products.Place(stream, launcher, productMemory));
    }

    @Override
    public void unary(Unary op, Tensor x, Tensor y) {
        Checks.sameElements(op.toString(), x, y);
        launcher.of("elementwise", "unary")
                .number(Codes.of(op))
                .typed(x)
                .typed(y)
                .number(x.elements())
                .run(quads(x.elements()), THREADS);
    }

    @Override
    public void binary(Binary op, Tensor a, Tensor b, Broadcast broadcast, Tensor y) {
        long expected = switch (broadcast) {
            case NONE -> a.elements();
            case SCALAR -> 1;
            case ROW -> a.shape().columns();
            case COLUMN -> a.shape().rows();
        };
        Checks.equal(op + " " + broadcast, "elements of the second argument", expected, b.elements());
        Checks.sameElements(op.toString(), a, y);
        launcher.of("elementwise", "binary")
                .number(Codes.of(op))
                .number(Codes.of(broadcast))
                .typed(a)
                .typed(b)
                .typed(y)
                .number(a.elements())
                .number(a.shape().columns())
                .run(quads(a.elements()), THREADS);
    }

    @Override
    public void axpby(double alpha, Tensor x, double beta, Tensor y) {
        Checks.sameElements("axpby", x, y);
        if (x.dtype() == DType.F64 && y.dtype() == DType.F64) {
            launcher.of("elementwise", "axpby_f64")
                    .number(alpha)
                    .address(x)
                    .number(beta)
                    .address(y)
                    .number(x.elements())
                    .run(Launcher.blocks(x.elements(), THREADS), THREADS);
            return;
        }
        launcher.of("elementwise", "axpby")
                .number((float) alpha)
                .typed(x)
                .number((float) beta)
                .typed(y)
                .number(x.elements())
                .run(quads(x.elements()), THREADS);
    }

    @Override
    public void reduceRows(Reduction op, Tensor x, Tensor y) {
        Checks.equal("reduceRows " + op, "rows", x.shape().rows(), y.elements());
        launcher.of("rows", "reduce_rows")
                .number(Codes.of(op))
                .typed(x)
                .typed(y)
                .number(x.shape().rows())
                .number(x.shape().columns())
                .run(rowBlocks(x.shape().rows()), THREADS);
    }

    /** How the sums of columns are cut: each block has 128 columns and the rows of one part. */
    record ColumnSums(long rows, long columns) {
        long partRows() {
            long rowsOfPart = Math.max(Math.ceilDiv(rows, SUM_PARTS), 64);
            return Math.ceilDiv(rowsOfPart, SUM_ROWS) * SUM_ROWS;
        }

        long parts() {
            return Math.ceilDiv(rows, partRows());
        }

        long bytes() {
            return parts() * columns * Float.BYTES;
        }

        void launch(Launcher launcher) {
            launcher.run(Math.ceilDiv(columns, SUM_COLUMNS), parts(), SUM_COLUMNS / QUAD, SUM_ROWS);
        }

        /** Adds the parts. */
        void finish(Launcher launcher, long partial, Tensor y, boolean add) {
            addParts(launcher, partial, parts(), columns, y, add);
        }
    }

    /** Adds F32 rows to {@code y}, or puts their sum there. */
    static void addParts(Launcher launcher, long partial, long parts, long columns, Tensor y, boolean add) {
        launcher.of("rows", "add_partials")
                .number(partial)
                .number((int) parts)
                .number(columns)
                .typed(y)
                .number(add ? 1 : 0)
                .run(Math.ceilDiv(columns, 32), 1, 32, SUM_ROWS);
    }

    @Override
    public void sumColumns(Tensor x, Tensor y, float beta) {
        Checks.equal("sumColumns", "columns", x.shape().columns(), y.elements());
        boolean add = beta(beta);
        ColumnSums sums = new ColumnSums(x.shape().rows(), x.shape().columns());
        long partial = work.of(sums.bytes());
        launcher.of("rows", "sum_columns")
                .typed(x)
                .number(partial)
                .number(sums.rows())
                .number(sums.columns())
                .number(sums.partRows());
        sums.launch(launcher);
        sums.finish(launcher, partial, y, add);
    }

    @Override
    public void gatherRowsWithin(Tensor table, long first, long end, Tensor index, Tensor y) {
        Checks.indices("gatherRows", index);
        Checks.equal("gatherRows", "elements", index.elements() * table.shape().columns(), y.elements());
        launcher.of("rows", "gather_rows")
                .typed(table)
                .number(first)
                .number(end)
                .address(index)
                .typed(y)
                .number(index.elements())
                .number(table.shape().columns())
                .run(rowBlocks(index.elements()), THREADS);
    }

    @Override
    public void scatterAddRows(Tensor x, Tensor index, Tensor table) {
        Checks.indices("scatterAddRows", index);
        Checks.equal(
                "scatterAddRows", "elements", index.elements() * table.shape().columns(), x.elements());
        scatterAdd.run(x, index, table);
    }

    @Override
    public void scatterRows(Tensor x, Tensor index, Tensor table) {
        Checks.indices("scatterRows", index);
        Checks.equal("scatterRows", "elements", index.elements() * table.shape().columns(), x.elements());
        launcher.of("rows", "scatter_rows")
                .typed(x)
                .address(index)
                .typed(table)
                .number(index.elements())
                .number(table.shape().columns())
                .run(rowBlocks(index.elements()), THREADS);
    }

    @Override
    public void uniform(CounterRandom random, Tensor y) {
        launcher.of("elementwise", "uniform")
                .number(random.key())
                .number(random.first())
                .typed(y)
                .number(y.elements())
                .run(quads(y.elements()), THREADS);
    }

    @Override
    public void sumOfSquares(Tensor x, Tensor y) {
        Checks.equal("sumOfSquares", "element of the sum", 1, y.elements());
        if (y.dtype() != DType.F64) {
            throw new IllegalArgumentException("sumOfSquares: the sum is F64, not " + y);
        }
        int blocks = (int) Math.min(quads(x.elements()), SQUARE_BLOCKS);
        long partial = work.of((long) blocks * Double.BYTES);
        launcher.of("rows", "squares")
                .typed(x)
                .number(partial)
                .number(x.elements())
                .run(blocks, THREADS);
        launcher.of("rows", "add_squares")
                .number(partial)
                .number(blocks)
                .address(y)
                .run(1, THREADS);
    }

    private static boolean beta(float beta) {
        if (beta != 0 && beta != 1) {
            throw new IllegalArgumentException("beta = " + beta + ": must be 0 or 1");
        }
        return beta == 1;
    }

    @Override
    public void close() {
        work.close();
        productMemory.close();
        launcher.close();
    }
}
