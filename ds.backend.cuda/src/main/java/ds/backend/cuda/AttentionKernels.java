package ds.backend.cuda;

import ds.api.Attention;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.api.Tensor;
import ds.backend.cuda.launch.FlashKernels;
import ds.backend.cuda.launch.FlashKernels.Shape;
import ds.backend.cuda.launch.KernelModules;
import ds.backend.cuda.launch.Launcher;
import ds.backend.cuda.launch.WorkMemory;
import java.util.Optional;

/**
 * Launches attention: on tensor cores for BF16 and F16 where the device has those of sm_80, with heads padded to the next size that there
 * is a kernel for; with one warp for each row otherwise.
 */
final class AttentionKernels {
    private static final int LARGEST = 256; // of the other kernels
    private static final int THREADS = 128;
    private static final int WARPS = 4;
    private static final int STATISTICS_BYTES = 2 * Float.BYTES; // of a row, for the backward pass
    private static final int MAX_BLOCKS_Y = 65535;

    private final Launcher launcher;
    private final WorkMemory work;
    private final KernelModules modules;

    AttentionKernels(Launcher launcher, WorkMemory work, KernelModules modules) {
        this.launcher = launcher;
        this.work = work;
        this.modules = modules;
    }

    /** Dims of one call. */
    private record Dims(long batch, int time, int heads, int size) {
        static Dims of(Tensor qkv, int heads) {
            int channels = Math.toIntExact(qkv.shape().dim(2) / 3);
            return new Dims(qkv.shape().dim(0), Math.toIntExact(qkv.shape().dim(1)), heads, channels / heads);
        }

        long channels() {
            return (long) heads * size;
        }

        long rows() {
            return batch * heads * time;
        }

        float scale() {
            return (float) (1 / Math.sqrt(size));
        }
    }

    /** {@return whether heads of this size have a kernel} */
    static boolean takes(Tensor qkv, int heads) {
        return qkv.shape().columns() / 3 / heads <= LARGEST;
    }

    /** {@return the tensor cores' kernels; empty if there are none for these operands} */
    private Optional<FlashKernels> flash(Tensor qkv, Dims dims) {
        boolean fits = qkv.dtype() != DType.F32 && dims.batch() * dims.heads() <= MAX_BLOCKS_Y;
        return fits ? modules.flash(dims.size()) : Optional.empty();
    }

    private void run(Dims dims, Shape shape) {
        launcher.run(Math.ceilDiv(dims.time(), shape.rows()), dims.batch() * dims.heads(), shape.threads(), 1);
    }

    private void drop(Dropout dropout) {
        CounterRandom random = dropout.random();
        launcher.number(random.key())
                .number(random.first())
                .number(dropout.rate())
                .number((float) (1 / (1.0 - dropout.rate())));
    }

    void forward(Tensor qkv, Attention attention, Tensor y, Tensor logSumExp) {
        Dims dims = Dims.of(qkv, attention.heads());
        Optional<FlashKernels> flash = flash(qkv, dims);
        if (flash.isEmpty()) {
            long row = 3 * dims.channels();
            Tensor keys = qkv.slice(dims.channels(), 1);
            Tensor values = qkv.slice(2 * dims.channels(), 1);
            launcher.of("attention", "attention" + Checks.suffix(qkv))
                    .address(qkv)
                    .number(dims.time() * row)
                    .number(row);
            launcher.address(keys).address(values).number(dims.time() * row).number(row);
            launcher.address(y).address(logSumExp);
            rows(dims, 0, attention.dropout());
            return;
        }
        FlashKernels kernels = flash.get();
        Shape shape = kernels.forward();
        launcher.of(kernels.module(), kernels.kernel("forward", Checks.suffix(qkv)), kernels.forwardBytes())
                .address(qkv)
                .address(y)
                .address(logSumExp);
        dims(dims, attention.dropout());
        run(dims, shape);
    }

    /** The last parameters of the kernel with a warp for each row, and its launch. */
    private void rows(Dims dims, int past, Dropout dropout) {
        launcher.number(dims.rows())
                .number(dims.heads())
                .number(dims.time())
                .number(dims.size())
                .number(past)
                .number(dims.scale());
        drop(dropout);
        launcher.run(Launcher.blocks(dims.rows(), WARPS), THREADS);
    }

    void backward(Tensor dy, Tensor qkv, Attention attention, Tensor y, Tensor logSumExp, Tensor dqkv) {
        Dims dims = Dims.of(qkv, attention.heads());
        long statistics = work.of(dims.rows() * STATISTICS_BYTES);
        launcher.of("attention", "attention_statistics" + Checks.suffix(qkv))
                .address(dy)
                .address(y)
                .address(logSumExp)
                .number(statistics)
                .number(dims.rows())
                .number(dims.heads())
                .number(dims.time())
                .number(dims.size())
                .run(Launcher.blocks(dims.rows(), WARPS), THREADS);
        Optional<FlashKernels> flash = flash(qkv, dims);
        for (String side : new String[] {"queries", "keys"}) {
            if (flash.isEmpty()) {
                launcher.of("attention", "attention_" + side + Checks.suffix(qkv))
                        .address(dy)
                        .address(qkv)
                        .address(logSumExp)
                        .number(statistics)
                        .address(dqkv)
                        .number(dims.rows());
                dims(dims, attention.dropout());
                launcher.run(Launcher.blocks(dims.rows(), WARPS), THREADS);
            } else {
                FlashKernels kernels = flash.get();
                Shape shape = side.equals("queries") ? kernels.queries() : kernels.keys();
                launcher.of(kernels.module(), kernels.kernel(side, Checks.suffix(qkv)), kernels.backwardBytes(shape))
                        .address(dy)
                        .address(qkv)
                        .number(statistics)
                        .address(dqkv);
                dims(dims, attention.dropout());
                run(dims, shape);
            }
        }
    }

    private void dims(Dims dims, Dropout dropout) {
        launcher.number(dims.heads()).number(dims.time()).number(dims.size()).number(dims.scale());
        drop(dropout);
    }

    /** Attention of new positions to the cache, which holds them already. */
    void cached(Tensor qkv, Tensor keys, Tensor values, long past, int heads, Tensor y) {
        Dims dims = Dims.of(qkv, heads);
        long row = 3 * dims.channels();
        launcher.of("attention", "attention" + Checks.suffix(qkv))
                .address(qkv)
                .number(dims.time() * row)
                .number(row);
        launcher.address(keys)
                .address(values)
                .number(keys.shape().dim(1) * dims.channels())
                .number(dims.channels());
        launcher.address(y).number(0L);
        rows(dims, Math.toIntExact(past), Dropout.NONE);
    }
}
