package ds.bench.breakdown;

import ds.api.Adagrad;
import ds.api.Adam;
import ds.api.Attention;
import ds.api.CounterRandom;
import ds.api.Dropout;
import ds.api.Kernels;
import ds.api.Lamb;
import ds.api.LayerNorm;
import ds.api.Lion;
import ds.api.Sgd;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;

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
        timed(KernelCall.elementwise("fill", y, y), () -> inner.fill(y, value));
    }

    @Override
    public void copy(Tensor x, Tensor y) {
        String name = x.dtype() == y.dtype() ? "copy" : "copy to " + y.dtype();
        timed(KernelCall.elementwise(name, x, x, y), () -> inner.copy(x, y));
    }

    @Override
    public void copyRows(Rows x, Rows y, long rows, long columns) {
        int elementBytes = x.tensor().dtype().byteSize() + y.tensor().dtype().byteSize();
        KernelCall call = KernelCall.elementwise("copyRows", x.tensor()).withBytes(rows * columns * elementBytes);
        timed(call, () -> inner.copyRows(x, y, rows, columns));
    }

    @Override
    public void matmul(Operand a, Operand b, Tensor c, float beta) {
        KernelCall call = beta == 0
                ? KernelCall.product("matmul", a, b, c, false)
                : KernelCall.product("matmul", a, b, c, true, c);
        timed(call, () -> inner.matmul(a, b, c, beta));
    }

    @Override
    public void unary(Unary op, Tensor x, Tensor y) {
        KernelCall call = KernelCall.elementwise(op.toString(), x, x, y);
        boolean exponential = op == Unary.EXP || op == Unary.TANH;
        timed(call.withExponentials(exponential ? x.elements() : 0), () -> inner.unary(op, x, y));
    }

    @Override
    public void binary(Binary op, Tensor a, Tensor b, Broadcast broadcast, Tensor y) {
        timed(KernelCall.elementwise(op.toString(), a, a, b, y), () -> inner.binary(op, a, b, broadcast, y));
    }

    @Override
    public void axpby(double alpha, Tensor x, double beta, Tensor y) {
        KernelCall call = beta == 0 || sameElements(x, y)
                ? KernelCall.elementwise("axpby", x, x, y)
                : KernelCall.elementwise("axpby", x, x, y, y);
        timed(call, () -> inner.axpby(alpha, x, beta, y));
    }

    private static boolean sameElements(Tensor x, Tensor y) {
        return x.buffer().equals(y.buffer()) && x.byteOffset() == y.byteOffset();
    }

    @Override
    public void reduceRows(Reduction op, Tensor x, Tensor y) {
        timed(KernelCall.elementwise("reduceRows", x, x, y), () -> inner.reduceRows(op, x, y));
    }

    @Override
    public void sumColumns(Tensor x, Tensor y, float beta) {
        timed(KernelCall.elementwise("sumColumns", x, x, y), () -> inner.sumColumns(x, y, beta));
    }

    @Override
    public void gatherRows(Tensor table, Tensor index, Tensor y) {
        timed(KernelCall.elementwise("gatherRows", y, index, y, y), () -> inner.gatherRows(table, index, y));
    }

    @Override
    public void scatterAddRows(Tensor x, Tensor index, Tensor table) {
        timed(KernelCall.elementwise("scatterAddRows", x, x, x, x), () -> inner.scatterAddRows(x, index, table));
    }

    @Override
    public void uniform(CounterRandom random, Tensor y) {
        timed(KernelCall.elementwise("uniform", y, y), () -> inner.uniform(random, y));
    }

    @Override
    public void sumOfSquares(Tensor x, Tensor y) {
        timed(KernelCall.elementwise("sumOfSquares", x, x), () -> inner.sumOfSquares(x, y));
    }

    @Override
    public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        timed(
                KernelCall.product("linear", Operand.of(x), Operand.of(w), y, false, bias),
                () -> inner.linear(x, w, bias, y));
    }

    @Override
    public void biasGelu(Tensor x, Tensor bias, Tensor y) {
        KernelCall call = KernelCall.elementwise("biasGelu", x, x, y).withExponentials(x.elements());
        timed(call, () -> inner.biasGelu(x, bias, y));
    }

    @Override
    public void biasGeluBackward(Tensor dy, Tensor x, Tensor bias, Tensor dx, Tensor dBias) {
        KernelCall call =
                KernelCall.elementwise("biasGeluBackward", x, dy, x, dx).withExponentials(x.elements());
        timed(call, () -> inner.biasGeluBackward(dy, x, bias, dx, dBias));
    }

    @Override
    public void dropout(Tensor x, Dropout dropout, Tensor y) {
        timed(KernelCall.elementwise("dropout", x, x, y), () -> inner.dropout(x, dropout, y));
    }

    @Override
    public void layerNorm(Tensor x, LayerNorm norm, Tensor y) {
        timed(KernelCall.elementwise("layerNorm", x, x, y), () -> inner.layerNorm(x, norm, y));
    }

    @Override
    public void residualLayerNorm(Tensor x, Tensor residual, Tensor sum, LayerNorm norm, Tensor y) {
        timed(
                KernelCall.elementwise("residualLayerNorm", x, x, residual, sum, y),
                () -> inner.residualLayerNorm(x, residual, sum, norm, y));
    }

    @Override
    public void layerNormBackward(Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {
        timed(
                KernelCall.elementwise("layerNormBackward", x, dy, x, dx, dx),
                () -> inner.layerNormBackward(dy, x, norm, gradients, dx));
    }

    @Override
    public void embedding(Tensor tokens, Tensor tokenTable, Tensor positionTable, Tensor y) {
        Tensor positions = positionTable.rows(0, tokens.shape().columns());
        timed(
                KernelCall.elementwise("embedding", y, tokens, y, positions, y),
                () -> inner.embedding(tokens, tokenTable, positionTable, y));
    }

    @Override
    public void embeddingBackward(Tensor dy, Tensor tokens, Tensor dTokenTable, Tensor dPositionTable) {
        Tensor positions = dPositionTable.rows(0, tokens.shape().columns());
        double rows = 2.0 * dy.elements() * dTokenTable.dtype().byteSize();
        KernelCall call = KernelCall.elementwise("embeddingBackward", dy)
                .withBytes(rows + KernelCall.bytes(dy, positions, positions));
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
                KernelCall.elementwise("cachedAttention", qkv, qkv, keys, values, y),
                () -> inner.cachedAttention(qkv, keys, values, past, heads, y));
    }

    @Override
    public void crossEntropy(Tensor logits, Tensor targets, long vocabulary, double gradientScale, Tensor losses) {
        KernelCall call = gradientScale == 0
                ? KernelCall.elementwise("crossEntropy", logits, logits)
                : KernelCall.elementwise("crossEntropy", logits, logits, logits);
        timed(
                call.withExponentials((double) logits.shape().rows() * vocabulary),
                () -> inner.crossEntropy(logits, targets, vocabulary, gradientScale, losses));
    }

    @Override
    public void adam(Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        timed(
                KernelCall.elementwise(
                        "adam",
                        weights,
                        gradient,
                        weights,
                        weights,
                        firstMoment,
                        firstMoment,
                        secondMoment,
                        secondMoment),
                () -> inner.adam(adam, weights, gradient, firstMoment, secondMoment));
    }

    @Override
    public void lion(Lion lion, Tensor weights, Tensor gradient, Tensor momentum) {
        timed(
                KernelCall.elementwise("lion", weights, gradient, weights, weights, momentum, momentum),
                () -> inner.lion(lion, weights, gradient, momentum));
    }

    @Override
    public void adagrad(Adagrad adagrad, Tensor weights, Tensor gradient, Tensor squares) {
        timed(
                KernelCall.elementwise("adagrad", weights, gradient, weights, weights, squares, squares),
                () -> inner.adagrad(adagrad, weights, gradient, squares));
    }

    @Override
    public void sgd(Sgd sgd, Tensor weights, Tensor gradient, Tensor velocity) {
        timed(
                KernelCall.elementwise("sgd", weights, gradient, weights, weights, velocity, velocity),
                () -> inner.sgd(sgd, weights, gradient, velocity));
    }

    @Override
    public void lambMoments(Lamb lamb, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        timed(
                KernelCall.elementwise(
                        "lambMoments", gradient, gradient, firstMoment, firstMoment, secondMoment, secondMoment),
                () -> inner.lambMoments(lamb, gradient, firstMoment, secondMoment));
    }

    @Override
    public void lambDirection(Lamb lamb, Tensor weights, Tensor firstMoment, Tensor secondMoment, Tensor direction) {
        timed(
                KernelCall.elementwise("lambDirection", weights, weights, firstMoment, secondMoment, direction),
                () -> inner.lambDirection(lamb, weights, firstMoment, secondMoment, direction));
    }

    @Override
    public void roundStochastically(Tensor x, CounterRandom random, Tensor y) {
        timed(KernelCall.elementwise("roundStochastically", x, x, y), () -> inner.roundStochastically(x, random, y));
    }

    @Override
    public void split(Tensor x, Tensor nearest, Tensor rest) {
        timed(KernelCall.elementwise("split", x, x, nearest, rest), () -> inner.split(x, nearest, rest));
    }

    @Override
    public void join(Tensor nearest, Tensor rest, Tensor x) {
        timed(KernelCall.elementwise("join", x, nearest, rest, x), () -> inner.join(nearest, rest, x));
    }
}
