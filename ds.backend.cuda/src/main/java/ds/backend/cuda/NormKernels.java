package ds.backend.cuda;

import static ds.backend.cuda.CudaCoreKernels.THREADS;
import static ds.backend.cuda.CudaCoreKernels.addParts;
import static ds.backend.cuda.CudaCoreKernels.columns;
import static ds.backend.cuda.CudaCoreKernels.rowBlocks;

import ds.api.LayerNorm;
import ds.api.Tensor;
import ds.backend.cuda.CudaCoreKernels.ColumnSums;
import ds.backend.cuda.launch.Launcher;
import ds.backend.cuda.launch.WorkMemory;

/** Launches layer normalisation of operands of one type. */
final class NormKernels {
    private static final int WARP = 32;
    private static final int LOAD_BYTES = 16;
    private static final int BLOCK_THREADS = 512; // of several rows' gradients
    private static final int MULTIPROCESSOR_THREADS = 1024; // for whose gradients it has registers

    private final Launcher launcher;
    private final WorkMemory work;
    private final int multiprocessors;

    NormKernels(Launcher launcher, WorkMemory work, int multiprocessors) {
        this.launcher = launcher;
        this.work = work;
        this.multiprocessors = multiprocessors;
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
        boolean wholeLoads = x.shape().columns() * x.dtype().byteSize() % LOAD_BYTES == 0;
        boolean aligned = isAligned(dy) && isAligned(x) && isAligned(norm.weight()) && isAligned(dx);
        if (wholeLoads && aligned && loads(x) <= MULTIPROCESSOR_THREADS) {
            together(dy, x, norm, gradients, dx);
        } else {
            apart(dy, x, norm, gradients, dx);
        }
    }

    /** Every thread has 16 bytes of a row. Blocks are as many as run at once, so this is the one sum whose order depends on the device. */
    private void together(Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {
        long rows = x.shape().rows();
        int threads = Math.toIntExact(Math.ceilDiv(loads(x), WARP) * WARP);
        int rowsAtOnce = Math.max(1, BLOCK_THREADS / threads);
        long running = (long) multiprocessors * (MULTIPROCESSOR_THREADS / (threads * rowsAtOnce));
        long blocks = Math.min(Math.ceilDiv(rows, rowsAtOnce), running);
        long weights = work.of(2 * blocks * columns(x) * Float.BYTES);
        long biases = weights + blocks * columns(x) * Float.BYTES;
        input("layer_norm_gradients", "layer_norm_gradients", dy, x, norm, dx)
                .number(weights)
                .number(biases)
                .number(rows)
                .number(columns(x))
                .run(blocks, 1, threads, rowsAtOnce);
        addParts(launcher, weights, blocks, columns(x), gradients.weight(), true);
        addParts(launcher, biases, blocks, columns(x), gradients.bias(), true);
    }

    /** For rows of any length, anywhere in memory: reads dy and x twice. */
    private void apart(Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {
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
        input("layer_norm", "layer_norm_backward", dy, x, norm, dx)
                .number(sums.rows())
                .number(columns(x))
                .run(rowBlocks(sums.rows()), threads(x));
    }

    /** Begins the launch of a kernel that makes the gradient of the input. */
    private Launcher input(String module, String kernel, Tensor dy, Tensor x, LayerNorm norm, Tensor dx) {
        return launcher.of(module, kernel + Checks.suffix(x))
                .address(dy)
                .address(x)
                .address(norm.weight())
                .address(norm.mean())
                .address(norm.rstd())
                .address(dx);
    }

    /** {@return as many threads of a block, which has a row, as load 16 bytes of it each: idle ones would take the place of other rows'} */
    private static int threads(Tensor x) {
        return Math.clamp(Math.ceilDiv(loads(x), WARP) * WARP, WARP, THREADS);
    }

    private static boolean isAligned(Tensor tensor) {
        return tensor.address() % LOAD_BYTES == 0;
    }

    private static long loads(Tensor x) {
        return Math.ceilDiv(x.shape().columns() * x.dtype().byteSize(), LOAD_BYTES);
    }
}
