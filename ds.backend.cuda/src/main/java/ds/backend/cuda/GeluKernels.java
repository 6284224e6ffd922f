package ds.backend.cuda;

import static ds.backend.cuda.CudaCoreKernels.THREADS;
import static ds.backend.cuda.CudaCoreKernels.columns;
import static ds.backend.cuda.CudaCoreKernels.quads;

import ds.api.Tensor;
import ds.backend.cuda.CudaCoreKernels.ColumnSums;
import ds.backend.cuda.launch.Launcher;
import ds.backend.cuda.launch.WorkMemory;
import java.util.Optional;

/** Launches GELU and its gradient, of operands of one type. */
final class GeluKernels {
    private final Launcher launcher;
    private final WorkMemory work;

    GeluKernels(Launcher launcher, WorkMemory work) {
        this.launcher = launcher;
        this.work = work;
    }

    /** {@code y = gelu(x + bias)}. */
    void forward(Tensor x, Optional<Tensor> bias, Tensor y) {
        launcher.of("gelu", "bias_gelu" + Checks.suffix(x))
                .address(x)
                .number(bias.map(Tensor::address).orElse(0L))
                .address(y)
                .number(x.elements())
                .number(columns(x))
                .run(quads(x.elements()), THREADS);
    }

    /** {@code dx = dy · gelu'(x + bias)}, whose columns are added to those of dBias. */
    void backward(Tensor dy, Tensor x, Optional<Tensor> bias, Tensor dx, Tensor dBias) {
        ColumnSums sums = new ColumnSums(x.shape().rows(), x.shape().columns());
        long partial = work.of(sums.bytes());
        launcher.of("gelu", "bias_gelu_backward" + Checks.suffix(x))
                .address(dy)
                .address(x)
                .number(bias.map(Tensor::address).orElse(0L))
                .address(dx)
                .number(partial)
                .number(sums.rows())
                .number(columns(x))
                .number(sums.partRows());
        sums.launch(launcher);
        sums.finish(launcher, partial, dBias, true);
    }
}
