package ds.backend.cpu;

import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.backend.cpu.core.Copies;
import ds.backend.cpu.core.Elementwise;
import ds.backend.cpu.core.IndexedRows;
import ds.backend.cpu.core.Reductions;
import ds.backend.cpu.product.MatrixProducts;
import ds.backend.cpu.threads.WorkerPool;
import ds.backend.cpu.vector.ColumnSums;
import ds.backend.cpu.vector.DropoutKernel;
import ds.backend.cpu.vector.Lanes;

/** The core kernels: checks the dims, and shares the work by outputs. */
abstract class CpuCoreKernels implements Kernels {
    static final long GRAIN = 16 * Lanes.CHUNK; // elements: some microseconds of work, many times a wake-up
    static final long GRAIN_COLUMNS = 128;
    private static final long MANY_ROWS = 64;

    private final TensorBackend backend;
    private final Stream stream;
    private final WorkerPool pool;
    private final MatrixProducts products;
    private double[] partialSums = new double[0];

    /** Of the call at hand. */
    final ColumnSums sums = new ColumnSums();

    CpuCoreKernels(TensorBackend backend, Stream stream, WorkerPool pool, MatrixProducts products) {
        this.backend = backend;
        this.stream = stream;
        this.pool = pool;
        this.products = products;
    }

    @Override
    public TensorBackend backend() {
        return backend;
    }

    @Override
    public Stream stream() {
        return stream;
    }

    @Override
    public void fill(Tensor y, double value) {
        pool.run(y.elements(), GRAIN, (part, worker) -> Copies.fill(part, y, value));
    }

    @Override
    public void copy(Tensor x, Tensor y) {
        requireEqual("copy", "elements", x.elements(), y.elements());
        pool.run(x.elements(), GRAIN, (part, worker) -> Copies.copy(part, x, y));
    }

    @Override
    public void copyRows(Rows x, Rows y, long rows, long columns) {
        pool.run(rows, grainRows(columns), (part, worker) -> Copies.copyRows(part, x, y, columns));
    }

    @Override
    public void matmul(Operand a, Operand b, Tensor c, float beta) {
        products.multiply(a, b, c, beta(beta));
    }

    @Override
    public void unary(Unary op, Tensor x, Tensor y) {
        requireEqual(op, "elements", x.elements(), y.elements());
        pool.run(x.elements(), GRAIN, (part, worker) -> Elementwise.unary(part, op, x, y));
    }

    @Override
    public void binary(Binary op, Tensor a, Tensor b, Broadcast broadcast, Tensor y) {
        long expected = switch (broadcast) {
            case NONE -> a.elements();
            case SCALAR -> 1;
            case ROW -> a.shape().columns();
            case COLUMN -> a.shape().rows();
        };
        requireEqual(op + " " + broadcast, "elements of the second argument", expected, b.elements());
        requireEqual(op, "elements", a.elements(), y.elements());
        if (broadcast == Broadcast.NONE) {
            pool.run(a.elements(), GRAIN, (part, worker) -> Elementwise.binary(part, op, a, b, y));
        } else {
            pool.run(
                    a.shape().rows(),
                    grainRows(a.shape().columns()),
                    (part, worker) -> Elementwise.binaryRepeated(part, op, a, b, broadcast, y));
        }
    }

    @Override
    public void axpby(double alpha, Tensor x, double beta, Tensor y) {
        requireEqual("axpby", "elements", x.elements(), y.elements());
        pool.run(x.elements(), GRAIN, (part, worker) -> Elementwise.axpby(part, alpha, x, beta, y));
    }

    @Override
    public void reduceRows(Reduction op, Tensor x, Tensor y) {
        requireEqual("reduceRows " + op, "rows", x.shape().rows(), y.elements());
        pool.run(x.shape().rows(), grainRows(x.shape().columns()), (part, worker) -> Reductions.rows(part, op, x, y));
    }

    @Override
    public void sumColumns(Tensor x, Tensor y, float beta) {
        requireEqual("sumColumns", "columns", x.shape().columns(), y.elements());
        boolean add = beta(beta);
        if (x.shape().rows() >= MANY_ROWS && isFloating(x) && isFloating(y)) {
            if (!add) {
                fill(y, 0);
            }
            sums.reset(x.shape().rows(), Math.toIntExact(x.shape().columns()));
            pool.run(
                    sums.blocks(),
                    1,
                    (block, worker) -> sums.addRows(x, sums.part((int) block.first(), block.scratch())));
            pool.run(1, 1, (part, worker) -> sums.addTo(y, 0, part.scratch()));
            return;
        }
        pool.run(x.shape().columns(), GRAIN_COLUMNS, (part, worker) -> Reductions.columns(part, x, y, add));
    }

    @Override
    public void gatherRowsWithin(Tensor table, long first, long end, Tensor index, Tensor y) {
        requireEqual("gatherRows", "elements", index.elements() * table.shape().columns(), y.elements());
        pool.run(
                index.elements(),
                grainRows(table.shape().columns()),
                (part, worker) -> IndexedRows.gather(part, table, first, end, index, y));
    }

    @Override
    public void scatterAddRows(Tensor x, Tensor index, Tensor table) {
        requireEqual(
                "scatterAddRows", "elements", index.elements() * table.shape().columns(), x.elements());
        pool.run(
                table.shape().columns(),
                GRAIN_COLUMNS,
                (part, worker) -> IndexedRows.scatterAdd(part, x, index, table));
    }

    @Override
    public void scatterRows(Tensor x, Tensor index, Tensor table) {
        requireEqual("scatterRows", "elements", index.elements() * table.shape().columns(), x.elements());
        pool.run(
                index.elements(),
                grainRows(table.shape().columns()),
                (part, worker) -> IndexedRows.scatter(part, x, index, table));
    }

    @Override
    public void uniform(CounterRandom random, Tensor y) {
        pool.run(y.elements(), GRAIN, (part, worker) -> DropoutKernel.uniform(random, y, part));
    }

    @Override
    public void sumOfSquares(Tensor x, Tensor y) {
        int blocks = Math.toIntExact(Math.ceilDiv(x.elements(), Reductions.BLOCK));
        if (partialSums.length < blocks) {
            partialSums = new double[blocks];
        }
        double[] partial = partialSums;
        pool.run(
                x.elements(),
                Reductions.BLOCK,
                (part, worker) -> partial[(int) (part.first() / Reductions.BLOCK)] = Reductions.sumOfSquares(part, x));
        Reductions.addInOrder(partial, blocks, y);
    }

    private static boolean isFloating(Tensor x) {
        return x.dtype() != DType.F64 && x.dtype() != DType.I32;
    }

    /** {@return how many rows make a part} */
    static long grainRows(long columns) {
        return Math.max(1, GRAIN / columns);
    }

    private static boolean beta(float beta) {
        if (beta != 0 && beta != 1) {
            throw new IllegalArgumentException("beta = " + beta + ": must be 0 or 1");
        }
        return beta == 1;
    }

    static void requireEqual(Object call, String what, long expected, long actual) {
        if (expected != actual) {
            throw new IllegalArgumentException(
                    call + ": " + expected + " " + what + " expected, but there are " + actual);
        }
    }
}
