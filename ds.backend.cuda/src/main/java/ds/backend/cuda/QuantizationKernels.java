package ds.backend.cuda;

import static ds.backend.cuda.CudaCoreKernels.THREADS;
import static ds.backend.cuda.CudaCoreKernels.rowBlocks;

import ds.api.CoreKernels.Rows;
import ds.api.Quantization;
import ds.api.Tensor;
import ds.backend.cuda.launch.Launcher;

/** Launches what makes few bits of numbers and numbers of them: methods as those of {@link ds.api.Kernels}. */
final class QuantizationKernels {
    private final Launcher launcher;

    QuantizationKernels(Launcher launcher) {
        this.launcher = launcher;
    }

    void quantize(Tensor x, Quantization q, Rows words) {
        long rows = x.shape().rows();
        long columns = x.shape().columns();
        q.requireRows("quantize", words, rows, columns);
        launcher.of("quantization", "quantize")
                .typed(x)
                .address(words.tensor())
                .number(words.first())
                .number(words.stride())
                .number(rows)
                .number(columns)
                .number(q.bits())
                .number(q.blockElements())
                .run(rowBlocks(rows * q.blocks(columns)), THREADS);
    }

    void dequantize(Rows words, Quantization q, Tensor y) {
        long rows = y.shape().rows();
        q.requireRows("dequantize", words, rows, y.shape().columns());
        sum(new Rows(words.tensor(), words.first(), 0), 1, words.stride(), q, y);
    }

    void sumQuantized(Rows words, long rows, Quantization q, Tensor y) {
        q.requireRows("sumQuantized", words, rows, y.elements());
        sum(words, rows, 0, q, y.reshape(1, y.elements()));
    }

    /** The rows of y are sums of so many rows of words each. */
    private void sum(Rows words, long rows, long sumStride, Quantization q, Tensor y) {
        launcher.of("quantization", "dequantize")
                .address(words.tensor())
                .number(words.first())
                .number(words.stride())
                .number(rows)
                .number(sumStride)
                .number(y.shape().rows())
                .typed(y)
                .number(y.shape().columns())
                .number(q.bits())
                .number(q.blockElements())
                .run(Launcher.blocks(y.elements(), THREADS), THREADS);
    }
}
