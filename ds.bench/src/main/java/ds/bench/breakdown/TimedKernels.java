package ds.bench.breakdown;

import ds.api.Adagrad;
import ds.api.Adam;
import ds.api.Attention;
import ds.api.CounterRandom;
import ds.api.Device;
import ds.api.Dropout;
import ds.api.Kernels;
import ds.api.Lamb;
import ds.api.LayerNorm;
import ds.api.Lion;
import ds.api.Quantization;
import ds.api.Sgd;
import ds.api.Signs;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.util.List;

/**
 * Kernels of another backend, each call timed from its beginning until the stream is empty. That is what a call costs on a
 * backend that computes at once; one that runs ahead is slowed down by being watched.
 */
final class TimedKernels implements Kernels {
    private final TensorBackend backend;
    private final Kernels inner;
    private final KernelTimes times;

    TimedKernels(TensorBackend backend, Kernels inner, KernelTimes times) {
        this.backend = backend;
        this.inner = inner;
        this.times = times;
    }

    private void timed(KernelCall call, Runnable kernel) {
        long start = System.nanoTime();
        kernel.run();
        inner.stream().synchronize();
        times.add(call, System.nanoTime() - start);
    }

    @Override
    public TensorBackend backend() {
        return backend;
    }

    @Override
    public Stream stream() {
        return inner.stream();
    }

    @Override
    public void fill(Tensor y, double value) {
        timed(KernelCall.elementwise("fill", y, List.of(), List.of(y)), () -> inner.fill(y, value));
    }

    @Override
    public void copy(Tensor x, Tensor y) {
        String name = x.dtype() == y.dtype() ? "copy" : "copy to " + y.dtype();
        timed(KernelCall.elementwise(name, x, List.of(x), List.of(y)), () -> inner.copy(x, y));
    }

    @Override
    public void copyRows(Rows x, Rows y, long rows, long columns) {
        double elements = (double) rows * columns;
        Moved moved = new Moved(
                elements * x.tensor().dtype().byteSize(),
                elements * y.tensor().dtype().byteSize(),
                0);
        KernelCall call = KernelCall.elementwise("copyRows", x.tensor(), moved);
        timed(call, () -> inner.copyRows(x, y, rows, columns));
    }

    @Override
    public void matmul(Operand a, Operand b, Tensor c, float beta) {
        KernelCall call = KernelCall.product("matmul", a, b, c, beta == 0 ? List.of() : List.of(c));
        timed(call, () -> inner.matmul(a, b, c, beta));
    }

    @Override
    public void unary(Unary op, Tensor x, Tensor y) {
        KernelCall call = KernelCall.elementwise(op.toString(), x, List.of(x), List.of(y));
        boolean exponential = op == Unary.EXP || op == Unary.TANH;
        timed(call.withExponentials(exponential ? x.elements() : 0), () -> inner.unary(op, x, y));
    }

    @Override
    public void binary(Binary op, Tensor a, Tensor b, Broadcast broadcast, Tensor y) {
        timed(
                KernelCall.elementwise(op.toString(), a, List.of(a, b), List.of(y)),
                () -> inner.binary(op, a, b, broadcast, y));
    }

    @Override
    public void axpby(double alpha, Tensor x, double beta, Tensor y) {
        List<Tensor> inputs = beta == 0 ? List.of(x) : List.of(x, y);
        KernelCall call = KernelCall.elementwise("axpby", x, inputs, List.of(y));
        timed(call, () -> inner.axpby(alpha, x, beta, y));
    }

    @Override
    public void reduceRows(Reduction op, Tensor x, Tensor y) {
        timed(KernelCall.elementwise("reduceRows", x, List.of(x), List.of(y)), () -> inner.reduceRows(op, x, y));
    }

    @Override
    public void sumColumns(Tensor x, Tensor y, float beta) {
        timed(KernelCall.elementwise("sumColumns", x, List.of(x), List.of(y)), () -> inner.sumColumns(x, y, beta));
    }

    @Override
    public void gatherRows(Tensor table, Tensor index, Tensor y) {
        timed(
                KernelCall.elementwise("gatherRows", y, new Moved(y.byteSize(), y.byteSize(), 0)),
                () -> inner.gatherRows(table, index, y));
    }

    @Override
    public void gatherRowsWithin(Tensor table, long first, long end, Tensor index, Tensor y) {
        timed(
                KernelCall.elementwise("gatherRowsWithin", y, new Moved(y.byteSize(), y.byteSize(), 0)),
                () -> inner.gatherRowsWithin(table, first, end, index, y));
    }

    @Override
    public void scatterAddRows(Tensor x, Tensor index, Tensor table) {
        timed(
                KernelCall.elementwise("scatterAddRows", x, new Moved(x.byteSize(), 0, 2.0 * x.byteSize())),
                () -> inner.scatterAddRows(x, index, table));
    }

    @Override
    public void scatterRows(Tensor x, Tensor index, Tensor table) {
        timed(
                KernelCall.elementwise("scatterRows", x, new Moved(x.byteSize(), x.byteSize(), 0)),
                () -> inner.scatterRows(x, index, table));
    }

    @Override
    public void uniform(CounterRandom random, Tensor y) {
        timed(KernelCall.elementwise("uniform", y, List.of(), List.of(y)), () -> inner.uniform(random, y));
    }

    @Override
    public void sumOfSquares(Tensor x, Tensor y) {
        timed(KernelCall.elementwise("sumOfSquares", x, List.of(x), List.of()), () -> inner.sumOfSquares(x, y));
    }

    @Override
    public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        timed(
                KernelCall.product("linear", Operand.of(x), Operand.of(w), y, List.of(bias)),
                () -> inner.linear(x, w, bias, y));
    }

    @Override
    public void biasGelu(Tensor x, Tensor bias, Tensor y) {
        KernelCall call =
                KernelCall.elementwise("biasGelu", x, List.of(x), List.of(y)).withExponentials(x.elements());
        timed(call, () -> inner.biasGelu(x, bias, y));
    }

    /** One kernel on a device; on the host its parts are. */
    @Override
    public void linearGelu(Tensor x, Tensor w, Tensor bias, Tensor pre, Tensor y) {
        if (backend.device().equals(Device.HOST)) {
            Kernels.super.linearGelu(x, w, bias, pre, y);
            return;
        }
        KernelCall call = KernelCall.product("linearGelu", Operand.of(x), Operand.of(w), y, List.of(bias))
                .alsoWriting(pre)
                .withExponentials(y.elements());
        timed(call, () -> inner.linearGelu(x, w, bias, pre, y));
    }

    /** As {@link #linearGelu}. */
    @Override
    public void geluLinearBackward(Tensor dOut, Tensor w, Tensor pre, Tensor bias, Tensor dInner, Tensor dBias) {
        if (backend.device().equals(Device.HOST)) {
            Kernels.super.geluLinearBackward(dOut, w, pre, bias, dInner, dBias);
            return;
        }
        Operand transposed = Operand.transposed(w);
        KernelCall call = KernelCall.product("geluLinearBackward", Operand.of(dOut), transposed, dInner, List.of(pre))
                .withExponentials(dInner.elements());
        timed(call, () -> inner.geluLinearBackward(dOut, w, pre, bias, dInner, dBias));
    }

    @Override
    public void biasGeluBackward(Tensor dy, Tensor x, Tensor bias, Tensor dx, Tensor dBias) {
        KernelCall call = KernelCall.elementwise("biasGeluBackward", x, List.of(dy, x), List.of(dx))
                .withExponentials(x.elements());
        timed(call, () -> inner.biasGeluBackward(dy, x, bias, dx, dBias));
    }

    @Override
    public void dropout(Tensor x, Dropout dropout, Tensor y) {
        timed(KernelCall.elementwise("dropout", x, List.of(x), List.of(y)), () -> inner.dropout(x, dropout, y));
    }

    @Override
    public void layerNorm(Tensor x, LayerNorm norm, Tensor y) {
        timed(KernelCall.elementwise("layerNorm", x, List.of(x), List.of(y)), () -> inner.layerNorm(x, norm, y));
    }

    @Override
    public void residualLayerNorm(Tensor x, Tensor residual, Tensor sum, LayerNorm norm, Tensor y) {
        timed(
                KernelCall.elementwise("residualLayerNorm", x, List.of(x, residual), List.of(sum, y)),
                () -> inner.residualLayerNorm(x, residual, sum, norm, y));
    }

    @Override
    public void layerNormBackward(Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {
        timed(
                KernelCall.elementwise("layerNormBackward", x, List.of(dy, x, dx), List.of(dx)),
                () -> inner.layerNormBackward(dy, x, norm, gradients, dx));
    }

    @Override
    public void embedding(Tensor tokens, Tensor tokenTable, Tensor positionTable, Tensor y) {
        Tensor positions = positionTable.rows(0, tokens.shape().columns());
        timed(
                KernelCall.elementwise("embedding", y, new Moved(y.byteSize() + positions.byteSize(), y.byteSize(), 0)),
                () -> inner.embedding(tokens, tokenTable, positionTable, y));
    }

    @Override
    public void embeddingBackward(Tensor dy, Tensor tokens, Tensor dTokenTable, Tensor dPositionTable) {
        Tensor positions = dPositionTable.rows(0, tokens.shape().columns());
        double rows = (double) dy.elements() * dTokenTable.dtype().byteSize();
        Moved moved = new Moved(dy.byteSize(), 0, 2 * (rows + positions.byteSize()));
        KernelCall call = KernelCall.elementwise("embeddingBackward", dy, moved);
        timed(call, () -> inner.embeddingBackward(dy, tokens, dTokenTable, dPositionTable));
    }

    @Override
    public void attention(Tensor qkv, Attention attention, Tensor y, Tensor logSumExp) {
        timed(KernelCall.attention(qkv, attention, y, logSumExp), () -> inner.attention(qkv, attention, y, logSumExp));
    }

    @Override
    public void attentionBackward(Tensor dy, Tensor qkv, Attention attention, Tensor y, Tensor logSumExp, Tensor dqkv) {
        timed(
                KernelCall.attentionBackward(dy, qkv, attention, y, logSumExp, dqkv),
                () -> inner.attentionBackward(dy, qkv, attention, y, logSumExp, dqkv));
    }

    @Override
    public void cachedAttention(Tensor qkv, Tensor keys, Tensor values, long past, int heads, Tensor y) {
        timed(
                KernelCall.elementwise("cachedAttention", qkv, List.of(qkv, keys, values), List.of(y)),
                () -> inner.cachedAttention(qkv, keys, values, past, heads, y));
    }

    @Override
    public void crossEntropy(Tensor logits, Tensor targets, long vocabulary, double gradientScale, Tensor losses) {
        KernelCall call = gradientScale == 0
                ? KernelCall.elementwise("crossEntropy", logits, List.of(logits), List.of())
                : KernelCall.elementwise("crossEntropy", logits, List.of(logits), List.of(logits));
        timed(
                call.withExponentials((double) logits.shape().rows() * vocabulary),
                () -> inner.crossEntropy(logits, targets, vocabulary, gradientScale, losses));
    }

    @Override
    public void softmax(Tensor x, Tensor logSumExp, double scale) {
        KernelCall call = KernelCall.elementwise("softmax", x, List.of(x), List.of(x));
        timed(call.withExponentials(x.elements()), () -> inner.softmax(x, logSumExp, scale));
    }

    @Override
    public void adam(Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        timed(
                KernelCall.elementwise(
                        "adam",
                        weights,
                        List.of(gradient, weights, firstMoment, secondMoment),
                        List.of(weights, firstMoment, secondMoment)),
                () -> inner.adam(adam, weights, gradient, firstMoment, secondMoment));
    }

    @Override
    public void adam(
            Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment, Tensor rounded) {
        timed(
                KernelCall.elementwise(
                        "adam, rounded to " + rounded.dtype(),
                        weights,
                        List.of(gradient, weights, firstMoment, secondMoment),
                        List.of(weights, firstMoment, secondMoment, rounded)),
                () -> inner.adam(adam, weights, gradient, firstMoment, secondMoment, rounded));
    }

    @Override
    public void lion(Lion lion, Tensor weights, Tensor gradient, Tensor momentum) {
        timed(
                KernelCall.elementwise(
                        "lion", weights, List.of(gradient, weights, momentum), List.of(weights, momentum)),
                () -> inner.lion(lion, weights, gradient, momentum));
    }

    @Override
    public void adagrad(Adagrad adagrad, Tensor weights, Tensor gradient, Tensor squares) {
        timed(
                KernelCall.elementwise(
                        "adagrad", weights, List.of(gradient, weights, squares), List.of(weights, squares)),
                () -> inner.adagrad(adagrad, weights, gradient, squares));
    }

    @Override
    public void sgd(Sgd sgd, Tensor weights, Tensor gradient, Tensor velocity) {
        timed(
                KernelCall.elementwise(
                        "sgd", weights, List.of(gradient, weights, velocity), List.of(weights, velocity)),
                () -> inner.sgd(sgd, weights, gradient, velocity));
    }

    @Override
    public void lambMoments(Lamb lamb, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        timed(
                KernelCall.elementwise(
                        "lambMoments",
                        gradient,
                        List.of(gradient, firstMoment, secondMoment),
                        List.of(firstMoment, secondMoment)),
                () -> inner.lambMoments(lamb, gradient, firstMoment, secondMoment));
    }

    @Override
    public void lambDirection(Lamb lamb, Tensor weights, Tensor firstMoment, Tensor secondMoment, Tensor direction) {
        timed(
                KernelCall.elementwise(
                        "lambDirection", weights, List.of(weights, firstMoment, secondMoment), List.of(direction)),
                () -> inner.lambDirection(lamb, weights, firstMoment, secondMoment, direction));
    }

    @Override
    public void roundStochastically(Tensor x, CounterRandom random, Tensor y) {
        timed(
                KernelCall.elementwise("roundStochastically", x, List.of(x), List.of(y)),
                () -> inner.roundStochastically(x, random, y));
    }

    @Override
    public void split(Tensor x, Tensor nearest, Tensor rest) {
        timed(
                KernelCall.elementwise("split", x, List.of(x), List.of(nearest, rest)),
                () -> inner.split(x, nearest, rest));
    }

    @Override
    public void join(Tensor nearest, Tensor rest, Tensor x) {
        timed(
                KernelCall.elementwise("join", x, List.of(nearest, rest), List.of(x)),
                () -> inner.join(nearest, rest, x));
    }

    @Override
    public void takeSigns(Tensor x, Tensor active, Signs signs) {
        timed(
                KernelCall.elementwise("takeSigns", x, List.of(x, active), List.of(x, signs.bits(), signs.scales())),
                () -> inner.takeSigns(x, active, signs));
    }

    @Override
    public void addSigns(double alpha, Signs signs, Tensor active, float beta, Tensor y) {
        List<Tensor> sent = List.of(signs.bits(), signs.scales(), active);
        List<Tensor> read = beta == 0 ? sent : List.of(signs.bits(), signs.scales(), active, y);
        timed(
                KernelCall.elementwise("addSigns", y, read, List.of(y)),
                () -> inner.addSigns(alpha, signs, active, beta, y));
    }

    @Override
    public void quantize(Tensor x, Quantization quantization, Rows words) {
        double bytes = 4.0 * x.shape().rows() * quantization.words(x.shape().columns());
        timed(
                KernelCall.elementwise("quantize", x, new Moved(x.byteSize(), bytes, 0)),
                () -> inner.quantize(x, quantization, words));
    }

    @Override
    public void dequantize(Rows words, Quantization quantization, Tensor y) {
        double bytes = 4.0 * y.shape().rows() * quantization.words(y.shape().columns());
        timed(
                KernelCall.elementwise("dequantize", y, new Moved(bytes, y.byteSize(), 0)),
                () -> inner.dequantize(words, quantization, y));
    }

    @Override
    public void sumQuantized(Rows words, long rows, Quantization quantization, Tensor y) {
        double bytes = 4.0 * rows * quantization.words(y.elements());
        timed(
                KernelCall.elementwise("sumQuantized", y, new Moved(bytes, y.byteSize(), 0)),
                () -> inner.sumQuantized(words, rows, quantization, y));
    }
}
