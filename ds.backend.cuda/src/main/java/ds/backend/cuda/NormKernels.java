package ds.backend.cuda;

import static ds.backend.cuda.CudaCoreKernels.THREADS;
import static ds.backend.cuda.CudaCoreKernels.columns;
import static ds.backend.cuda.CudaCoreKernels.rowBlocks;

import ds.api.LayerNorm;
import ds.api.Tensor;
import ds.backend.cuda.CudaCoreKernels.ColumnSums;

/** Launches layer normalisation of operands of one type. */
final class NormKernels {
    private static final int WARP = 32;
    private static final int LOAD_BYTES = 16;

    private final Launcher launcher;
    private final WorkMemory work;

    NormKernels(Launcher launcher, WorkMemory work) {
        this.launcher = launcher;
        this.work = work;
    }

    /**
     * Normalises x, or x and the residual, whose sum is kept.
     *
     * @param residual null for none
     */
    void forward(Tensor x, Tensor residual, Tensor sum, LayerNorm norm, Tensor y) {
        launcher.of("layer_norm", "layer_norm" + Checks.suffix(x))
                .address(x)
                .number(residual == null ? 0 : residual.address())
                .number(residual == null ? 0 : sum.address())
                .address(norm.weight())
                .address(norm.bias())
                .address(norm.mean())
                .address(norm.rstd())
                .address(y)
                .number(norm.epsilon())
                .number(x.shape().rows())
                .number(columns(x))
                .run(rowBlocks(x.shape().rows()), threads(x));
    }

    /** Adds to the gradients of input, weight and bias. */
    void backward(Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {
        ColumnSums sums = new ColumnSums(x.shape().rows(), x.shape().columns());
        long weights = work.of(2 * sums.bytes());
        long biases = weights + sums.bytes();
        launcher.of("layer_norm", "layer_norm_columns" + Checks.suffix(x))
                .address(dy)
                .address(x)
                .address(norm.mean())
                .address(norm.rstd())
                .number(weights)
                .number(biases)
                .number(sums.rows())
                .number(columns(x))
                .number(sums.partRows());
        sums.launch(launcher);
        sums.finish(launcher, weights, gradients.weight(), true);
        sums.finish(launcher, biases, gradients.bias(), true);
        launcher.of("layer_norm", "layer_norm_backward" + Checks.suffix(x))
                .address(dy)
                .address(x)
                .address(norm.weight())
                .address(norm.mean())
                .address(norm.rstd())
                .address(dx)
                .number(sums.rows())
                .number(columns(x))
                .run(rowBlocks(sums.rows()), threads(x));
    }

    /** {@return as many threads of a block, which has a row, as load 16 bytes of it each: idle ones would take the place of other rows'} */
    private static int threads(Tensor x) {
        long loads = Math.ceilDiv(x.shape().columns() * x.dtype().byteSize(), LOAD_BYTES);
        return Math.clamp(Math.ceilDiv(loads, WARP) * WARP, WARP, THREADS);
    }
}
