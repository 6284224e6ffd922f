package ds.backend.cuda;

import ds.api.Attention;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.api.Tensor;

/**
 * Launches attention: on tensor cores for BF16 and F16 where the device has those of sm_80, with heads padded to the next size that there
 * is a kernel for; with one warp for each row otherwise.
 */
final class AttentionKernels {
    private static final int[] TENSOR_CORE_SIZES = {64, 96, 128, 160};
    private static final int LARGEST = 256; // of the other kernels
    private static final String FORWARD = "flash_forward";
    private static final int ROWS = 64; // of a block on tensor cores, and of its tiles
    private static final int DOUBLE_ROWS = 64; // up to this size a block of the forward pass has twice as many
    private static final int DOUBLE_FORWARD = 128; // up to this size the forward pass has two tiles of each kind
    private static final int PADDING = 8; // elements behind each of these
    private static final int THREADS = 128;
    private static final int WARPS = 4;
    private static final int MAX_BLOCKS_Y = 65535;

    private final Launcher launcher;
    private final WorkMemory work;
    private final boolean tensorCores;

    AttentionKernels(Launcher launcher, WorkMemory work, boolean tensorCores) {
        this.launcher = launcher;
        this.work = work;
        this.tensorCores = tensorCores;
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

    /** {@return the size for which the tensor cores' kernel is made; 0 if there is none} */
    private int padded(Tensor qkv, Dims dims) {
        if (tensorCores && qkv.dtype() != DType.F32 && dims.batch() * dims.heads() <= MAX_BLOCKS_Y) {
            for (int size : TENSOR_CORE_SIZES) {
                if (dims.size() <= size) {
                    return size;
                }
            }
        }
        return 0;
    }

    private Launcher flash(String name, Tensor qkv, int padded) {
        // Queries, and keys and values of 64 rows each; or two sides of 64 rows, and twice two of 32.
        int tiles = !name.equals(FORWARD) ? 4 : forwardRows(padded) / ROWS + (padded > DOUBLE_FORWARD ? 2 : 4);
        int bytes = tiles * ROWS * (padded + PADDING) * qkv.dtype().byteSize();
        return launcher.of(KernelSource.FLASH_ATTENTION + padded, name + Checks.suffix(qkv) + "_" + padded, bytes);
    }

    private static int forwardRows(int padded) {
        return padded > DOUBLE_ROWS ? ROWS : 2 * ROWS;
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
        int padded = padded(qkv, dims);
        if (padded == 0) {
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
        flash(FORWARD, qkv, padded)
                .address(qkv)
                .address(y)
                .address(logSumExp)
                .number(dims.heads())
                .number(dims.time())
                .number(dims.size())
                .number(dims.scale());
        drop(attention.dropout());
        launcher.run(Math.ceilDiv(dims.time(), forwardRows(padded)), dims.batch() * dims.heads(), THREADS, 1);
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
        long delta = work.of(dims.rows() * Float.BYTES);
        launcher.of("attention", "attention_delta" + Checks.suffix(qkv))
                .address(dy)
                .address(y)
                .number(delta)
                .number(dims.rows())
                .number(dims.heads())
                .number(dims.time())
                .number(dims.size())
                .run(Launcher.blocks(dims.rows(), WARPS), THREADS);
        int padded = padded(qkv, dims);
        for (String side : new String[] {"queries", "keys"}) {
            if (padded == 0) {
                launcher.of("attention", "attention_" + side + Checks.suffix(qkv));
            } else {
                flash("flash_" + side, qkv, padded);
            }
            launcher.address(dy).address(qkv).address(logSumExp).number(delta).address(dqkv);
            if (padded == 0) {
                launcher.number(dims.rows());
            }
            launcher.number(dims.heads())
                    .number(dims.time())
                    .number(dims.size())
                    .number(dims.scale());
            drop(attention.dropout());
            if (padded == 0) {
                launcher.run(Launcher.blocks(dims.rows(), WARPS), THREADS);
            } else {
                launcher.run(Math.ceilDiv(dims.time(), ROWS), dims.batch() * dims.heads(), THREADS, 1);
            }
        }
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
