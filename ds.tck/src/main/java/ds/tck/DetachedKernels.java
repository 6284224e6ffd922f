package ds.tck;

import ds.api.CounterRandom;
import ds.api.Kernels;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.util.List;

/** {@link ReferenceKernels}, enqueued. */
final class DetachedKernels implements Kernels {
    private final DetachedBackend backend;
    private final DetachedStream stream;
    private final ReferenceKernels kernels;

    DetachedKernels(DetachedBackend backend, ReferenceBackend memory, DetachedStream stream) {
        this.backend = backend;
        this.stream = stream;
        this.kernels = new ReferenceKernels(memory, memory.computeStream());
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
        stream.enqueueKernel(List.of(y), t -> kernels.fill(t.get(0), value));
    }

    @Override
    public void copy(Tensor x, Tensor y) {
        stream.enqueueKernel(List.of(x, y), t -> kernels.copy(t.get(0), t.get(1)));
    }

    @Override
    public void copyRows(Rows x, Rows y, long rows, long columns) {
        stream.enqueueKernel(
                List.of(x.tensor(), y.tensor()),
                t -> kernels.copyRows(
                        new Rows(t.get(0), x.first(), x.stride()),
                        new Rows(t.get(1), y.first(), y.stride()),
                        rows,
                        columns));
    }

    @Override
    public void matmul(Operand a, Operand b, Tensor c, float beta) {
        stream.enqueueKernel(
                List.of(a.tensor(), b.tensor(), c),
                t -> kernels.matmul(
                        new Operand(t.get(0), a.transposed()), new Operand(t.get(1), b.transposed()), t.get(2), beta));
    }

    @Override
    public void unary(Unary op, Tensor x, Tensor y) {
        stream.enqueueKernel(List.of(x, y), t -> kernels.unary(op, t.get(0), t.get(1)));
    }

    @Override
    public void binary(Binary op, Tensor a, Tensor b, Broadcast broadcast, Tensor y) {
        stream.enqueueKernel(List.of(a, b, y), t -> kernels.binary(op, t.get(0), t.get(1), broadcast, t.get(2)));
    }

    @Override
    public void axpby(double alpha, Tensor x, double beta, Tensor y) {
        stream.enqueueKernel(List.of(x, y), t -> kernels.axpby(alpha, t.get(0), beta, t.get(1)));
    }

    @Override
    public void reduceRows(Reduction op, Tensor x, Tensor y) {
        stream.enqueueKernel(List.of(x, y), t -> kernels.reduceRows(op, t.get(0), t.get(1)));
    }

    @Override
    public void sumColumns(Tensor x, Tensor y, float beta) {
        stream.enqueueKernel(List.of(x, y), t -> kernels.sumColumns(t.get(0), t.get(1), beta));
    }

    @Override
    public void gatherRowsWithin(Tensor table, long first, long end, Tensor index, Tensor y) {
        stream.enqueueKernel(
                List.of(table, index, y), t -> kernels.gatherRowsWithin(t.get(0), first, end, t.get(1), t.get(2)));
    }

    @Override
    public void scatterAddRows(Tensor x, Tensor index, Tensor table) {
        stream.enqueueKernel(List.of(x, index, table), t -> kernels.scatterAddRows(t.get(0), t.get(1), t.get(2)));
    }

    @Override
    public void scatterRows(Tensor x, Tensor index, Tensor table) {
        stream.enqueueKernel(List.of(x, index, table), t -> kernels.scatterRows(t.get(0), t.get(1), t.get(2)));
    }

    @Override
    public void uniform(CounterRandom random, Tensor y) {
        stream.enqueueKernel(List.of(y), t -> kernels.uniform(random, t.get(0)));
    }

    @Override
    public void sumOfSquares(Tensor x, Tensor y) {
        stream.enqueueKernel(List.of(x, y), t -> kernels.sumOfSquares(t.get(0), t.get(1)));
    }
}
