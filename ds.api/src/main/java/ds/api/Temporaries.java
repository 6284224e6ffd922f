package ds.api;

import java.util.ArrayList;
import java.util.List;

/** Tensors that live as long as one composed kernel. */
final class Temporaries implements AutoCloseable {
    private final CoreKernels kernels;
    private final List<Buffer> buffers = new ArrayList<>();

    Temporaries(CoreKernels kernels) {
        this.kernels = kernels;
    }

    /** {@return an F32 tensor of zeros} */
    Tensor f32(long... dims) {
        return add(kernels.backend().allocate(DType.F32, Shape.of(dims), "temporary"));
    }

    /** {@return a copy in F32, with the same dims} */
    Tensor f32Copy(Tensor x) {
        Tensor copy = add(kernels.backend().allocate(DType.F32, x.shape(), "temporary"));
        kernels.copy(x, copy);
        return copy;
    }

    /** {@return an F32 scalar} */
    Tensor scalar(double value) {
        Tensor scalar = f32(1);
        kernels.fill(scalar, value);
        return scalar;
    }

    /** {@return an F32 matrix {@code [rows, columns]}: 1 where column ≤ row + offset, else 0} */
    Tensor causal(long rows, long columns, long offset) {
        Tensor mask = f32(rows, columns);
        Tensor ones = f32(columns);
        kernels.fill(ones, 1);
        for (long row = 0; row < rows; row++) {
            long visible = Math.min(columns, row + offset + 1);
            kernels.copy(ones.slice(0, visible), mask.slice(row * columns, visible));
        }
        return mask;
    }

    private Tensor add(Tensor tensor) {
        buffers.add(tensor.buffer());
        return tensor;
    }

    @Override
    public void close() {
        kernels.stream().synchronize(); // what is enqueued may still read them
        buffers.forEach(Buffer::close);
    }
}
