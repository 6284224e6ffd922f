package ds.backend.cuda;

import ds.api.Adagrad;
import ds.api.Adam;
import ds.api.Attention;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.api.Lamb;
import ds.api.LayerNorm;
import ds.api.Lion;
import ds.api.Quantization;
import ds.api.Sgd;
import ds.api.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * All kernels: the core, and the fused ones, most of them one launch. Operands of different types, and heads larger than there are kernels
 * for, are left to the compositions.
 */
final class CudaKernels extends CudaCoreKernels {
    private final AttentionKernels attention;

    CudaKernels(CudaBackend backend, CudaStream stream, Launcher launcher, Products products) {
        super(backend, stream, launcher, products);
        this.attention =
                new AttentionKernels(launcher, work, backend.cuda().properties().major() >= 8);
    }

    @Override
    public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        requireProduct("linear", Operand.of(x), Operand.of(w), y);
        Checks.equal("linear", "elements of the bias", w.shape().columns(), bias.elements());
        if (!product(Operand.of(x), Operand.of(w), y, bias, false)) {
            super.linear(x, w, bias, y);
        }
    }

    @Override
    public void biasGelu(Tensor x, Tensor bias, Tensor y) {
        Checks.rows("biasGelu", x, bias, y);
        if (!Checks.sameType(x, bias, y)) {
            super.biasGelu(x, bias, y);
            return;
        }
        launcher.of("gelu", "bias_gelu" + Checks.suffix(x))
                .address(x)
                .address(bias)
                .address(y)
                .number(x.elements())
                .number(columns(x))
                .run(quads(x.elements()), THREADS);
    }

    @Override
    public void biasGeluBackward(Tensor dy, Tensor x, Tensor bias, Tensor dx, Tensor dBias) {
        Checks.rows("biasGeluBackward", x, bias, dy);
        Checks.rows("biasGeluBackward", x, dBias, dx);
        if (!Checks.sameType(dy, x, bias, dx)) {
            super.biasGeluBackward(dy, x, bias, dx, dBias);
            return;
        }
        ColumnSums sums = new ColumnSums(x.shape().rows(), x.shape().columns());
        long partial = work.of(sums.bytes());
        launcher.of("gelu", "bias_gelu_backward" + Checks.suffix(x))
                .address(dy)
                .address(x)
                .address(bias)
                .address(dx)
                .number(partial)
                .number(sums.rows())
                .number(columns(x))
                .number(sums.partRows());
        sums.launch(launcher);
        sums.finish(launcher, partial, dBias, true);
    }

    @Override
    public void dropout(Tensor x, Dropout dropout, Tensor y) {
        Checks.sameElements("dropout", x, y);
        launcher.of("elementwise", "dropout")
                .typed(x)
                .number(dropout.random().key())
                .number(dropout.random().first())
                .number(dropout.rate())
                .number((float) (1 / (1.0 - dropout.rate())))
                .typed(y)
                .number(x.elements())
                .run(quads(x.elements()), THREADS);
    }

    @Override
    public void layerNorm(Tensor x, LayerNorm norm, Tensor y) {
        Checks.rows("layerNorm", x, norm.weight(), y);
        Checks.rows("layerNorm", x, norm.bias(), y);
        Checks.statistics(norm, x);
        if (Checks.sameType(x, norm.weight(), norm.bias(), y)) {
            normalise(x, null, x, norm, y);
        } else {
            super.layerNorm(x, norm, y);
        }
    }

    @Override
    public void residualLayerNorm(Tensor x, Tensor residual, Tensor sum, LayerNorm norm, Tensor y) {
        Checks.rows("residualLayerNorm", x, norm.weight(), y);
        Checks.rows("residualLayerNorm", residual, norm.bias(), sum);
        Checks.sameElements("residualLayerNorm", x, residual);
        Checks.statistics(norm, x);
        if (Checks.sameType(x, residual, sum, norm.weight(), norm.bias(), y)) {
            normalise(x, residual, sum, norm, y);
        } else {
            super.residualLayerNorm(x, residual, sum, norm, y);
        }
    }

    private void normalise(Tensor x, Tensor residual, Tensor sum, LayerNorm norm, Tensor y) {
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
                .run(rowBlocks(x.shape().rows()), THREADS);
    }

    @Override
    public void layerNormBackward(Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {
        Checks.rows("layerNormBackward", x, gradients.weight(), dy);
        Checks.rows("layerNormBackward", x, gradients.bias(), dx);
        Checks.statistics(norm, x);
        if (!Checks.sameType(dy, x, norm.weight(), dx)) {
            super.layerNormBackward(dy, x, norm, gradients, dx);
            return;
        }
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
                .run(rowBlocks(sums.rows()), THREADS);
    }

    @Override
    public void embedding(Tensor tokens, Tensor tokenTable, Tensor positionTable, Tensor y) {
        requireEmbedding("embedding", tokens, tokenTable, positionTable, y);
        if (tokenTable.dtype() != positionTable.dtype()) {
            super.embedding(tokens, tokenTable, positionTable, y);
            return;
        }
        launcher.of("rows", "embedding")
                .address(tokens)
                .address(tokenTable)
                .typed(positionTable)
                .typed(y)
                .number(tokens.elements())
                .number(tokens.shape().columns())
                .number(tokenTable.shape().columns())
                .run(rowBlocks(tokens.elements()), THREADS);
    }

    @Override
    public void embeddingBackward(Tensor dy, Tensor tokens, Tensor dTokenTable, Tensor dPositionTable) {
        requireEmbedding("embeddingBackward", tokens, dTokenTable, dPositionTable, dy);
        Checks.f32("embeddingBackward", dPositionTable);
        scatterAddRows(dy, tokens, dTokenTable);
        long perSequence = tokens.shape().columns() * dTokenTable.shape().columns();
        launcher.of("rows", "add_positions")
                .typed(dy)
                .address(dPositionTable)
                .number(tokens.shape().rows())
                .number(perSequence)
                .run(quads(perSequence), THREADS);
    }

    private static void requireEmbedding(String call, Tensor tokens, Tensor table, Tensor positions, Tensor y) {
        Checks.indices(call, tokens);
        Checks.equal(
                call,
                "columns of the position table",
                table.shape().columns(),
                positions.shape().columns());
        Checks.equal(call, "elements", tokens.elements() * table.shape().columns(), y.elements());
        if (tokens.shape().columns() > positions.shape().rows()) {
            throw new IllegalArgumentException(
                    call + ": sequences of " + tokens.shape().columns() + " tokens, but only "
                            + positions.shape().rows() + " positions");
        }
    }

    @Override
    public void attention(Tensor qkv, Attention operands, Tensor y, Tensor logSumExp) {
        long heads = requireHeads("attention", qkv, operands.heads(), y);
        Checks.equal("attention", "elements of logSumExp", heads * qkv.shape().dim(1), logSumExp.elements());
        if (Checks.sameType(qkv, y) && AttentionKernels.takes(qkv, operands.heads())) {
            attention.forward(qkv, operands, y, logSumExp);
        } else {
            super.attention(qkv, operands, y, logSumExp);
        }
    }

    @Override
    public void attentionBackward(Tensor dy, Tensor qkv, Attention operands, Tensor y, Tensor logSumExp, Tensor dqkv) {
        requireHeads("attentionBackward", qkv, operands.heads(), dy);
        Checks.sameElements("attentionBackward", qkv, dqkv);
        if (Checks.sameType(dy, qkv, y, dqkv) && AttentionKernels.takes(qkv, operands.heads())) {
            attention.backward(dy, qkv, operands, y, logSumExp, dqkv);
        } else {
            super.attentionBackward(dy, qkv, operands, y, logSumExp, dqkv);
        }
    }

    @Override
    public void cachedAttention(Tensor qkv, Tensor keys, Tensor values, long past, int heads, Tensor y) {
        requireHeads("cachedAttention", qkv, heads, y);
        long time = qkv.shape().dim(1);
        long capacity = keys.shape().dim(1);
        if (past < 0 || past + time > Math.min(capacity, values.shape().dim(1))) {
            throw new IllegalArgumentException("cachedAttention: " + past + " positions and " + time
                    + " more do not fit into a cache of " + capacity);
        }
        boolean alike = keys.shape().equals(values.shape()) && Checks.sameType(qkv, keys, values, y);
        if (!alike || !AttentionKernels.takes(qkv, heads)) {
            super.cachedAttention(qkv, keys, values, past, heads, y);
            return;
        }
        long channels = qkv.shape().dim(2) / 3;
        for (long b = 0; b < qkv.shape().dim(0); b++) {
            long from = b * time * 3 * channels;
            long to = (b * capacity + past) * channels;
            copyRows(new Rows(qkv, from + channels, 3 * channels), new Rows(keys, to, channels), time, channels);
            copyRows(new Rows(qkv, from + 2 * channels, 3 * channels), new Rows(values, to, channels), time, channels);
        }
        attention.cached(qkv, keys, values, past, heads, y);
    }

    private static long requireHeads(String call, Tensor qkv, int heads, Tensor y) {
        long channels = qkv.shape().columns() / 3;
        if (qkv.shape().columns() % 3 != 0 || channels % heads != 0) {
            throw new IllegalArgumentException(call + ": " + qkv.shape().columns()
                    + " columns are not queries, keys and values of " + heads + " heads");
        }
        Checks.equal(call, "elements of the result", qkv.shape().rows() * channels, y.elements());
        return qkv.shape().dim(0) * heads;
    }

    @Override
    public void crossEntropy(Tensor logits, Tensor targets, long vocabulary, double gradientScale, Tensor losses) {
        long rows = logits.shape().rows();
        Checks.indices("crossEntropy", targets);
        Checks.f32("crossEntropy", losses);
        Checks.equal("crossEntropy", "targets", rows, targets.elements());
        Checks.equal("crossEntropy", "losses", rows, losses.elements());
        if (vocabulary < 1 || vocabulary > logits.shape().columns()) {
            throw new IllegalArgumentException(
                    "crossEntropy: vocabulary " + vocabulary + " is not from 1 to the columns of " + logits);
        }
        launcher.of("cross_entropy", "cross_entropy" + Checks.suffix(logits))
                .address(logits)
                .address(targets)
                .address(losses)
                .number(rows)
                .number(logits.shape().columns())
                .number(vocabulary)
                .number((float) gradientScale)
                .run(rowBlocks(rows), THREADS);
    }

    @Override
    public void adam(Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        Checks.f32("adam", gradient);
        adam(adam, List.of(weights, firstMoment, secondMoment), gradient, Optional.empty());
    }

    @Override
    public void adam(
            Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment, Tensor rounded) {
        adam(adam, List.of(weights, firstMoment, secondMoment), gradient, Optional.of(rounded));
    }

    private void adam(Adam adam, List<Tensor> states, Tensor gradient, Optional<Tensor> rounded) {
        Tensor weights = states.get(0);
        Checks.sameElements("adam", weights, states.get(1), states.get(2), gradient, rounded.orElse(weights));
        Checks.f32("adam", weights, states.get(1), states.get(2));
        double first = adam.biasCorrection() ? 1 - Math.pow(adam.beta1(), adam.step()) : 1;
        double second = adam.biasCorrection() ? 1 - Math.pow(adam.beta2(), adam.step()) : 1;
        launcher.of("optimizers", "adam")
                .address(weights)
                .typed(gradient)
                .address(states.get(1))
                .address(states.get(2))
                .number(rounded.map(Tensor::address).orElse(0L))
                .number(Codes.of(rounded.orElse(weights).dtype()))
                .number(weights.elements())
                .number((float) adam.gradientScale())
                .number((float) (adam.decoupled() ? 0 : adam.weightDecay()))
                .number((float) adam.beta1())
                .number((float) (1 - adam.beta1()))
                .number((float) adam.beta2())
                .number((float) (1 - adam.beta2()))
                .number((float) (1 / second))
                .number((float) adam.epsilon())
                .number((float) (adam.learningRate() / first))
                .number((float) (adam.decoupled() ? 1 - adam.learningRate() * adam.weightDecay() : 1))
                .run(quads(weights.elements()), THREADS);
    }

    @Override
    public void lion(Lion lion, Tensor weights, Tensor gradient, Tensor momentum) {
        Checks.sameElements("lion", weights, gradient, momentum);
        Checks.f32("lion", weights, gradient, momentum);
        launcher.of("optimizers", "lion")
                .address(weights)
                .address(gradient)
                .address(momentum)
                .number(weights.elements())
                .number((float) ((1 - lion.beta1()) * lion.gradientScale()))
                .number((float) lion.beta1())
                .number((float) ((1 - lion.beta2()) * lion.gradientScale()))
                .number((float) lion.beta2())
                .number((float) lion.learningRate())
                .number((float) (1 - lion.learningRate() * lion.weightDecay()))
                .run(quads(weights.elements()), THREADS);
    }

    @Override
    public void adagrad(Adagrad adagrad, Tensor weights, Tensor gradient, Tensor squares) {
        Checks.sameElements("adagrad", weights, gradient, squares);
        Checks.f32("adagrad", weights, gradient, squares);
        launcher.of("optimizers", "adagrad")
                .address(weights)
                .address(gradient)
                .address(squares)
                .number(weights.elements())
                .number((float) adagrad.gradientScale())
                .number((float) adagrad.weightDecay())
                .number((float) adagrad.epsilon())
                .number((float) adagrad.learningRate())
                .run(quads(weights.elements()), THREADS);
    }

    @Override
    public void sgd(Sgd sgd, Tensor weights, Tensor gradient, Tensor velocity) {
        Checks.sameElements("sgd", weights, gradient, velocity);
        Checks.f32("sgd", weights, gradient, velocity);
        launcher.of("optimizers", "sgd")
                .address(weights)
                .address(gradient)
                .address(velocity)
                .number(weights.elements())
                .number((float) sgd.gradientScale())
                .number((float) sgd.weightDecay())
                .number((float) sgd.momentum())
                .number((float) (1 - sgd.dampening()))
                .number(sgd.nesterov() ? 1 : 0)
                .number(sgd.first() ? 1 : 0)
                .number((float) sgd.learningRate())
                .run(quads(weights.elements()), THREADS);
    }

    @Override
    public void lambMoments(Lamb lamb, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        Checks.sameElements("lambMoments", gradient, firstMoment, secondMoment);
        Checks.f32("lambMoments", gradient, firstMoment, secondMoment);
        launcher.of("optimizers", "lamb_moments")
                .address(gradient)
                .address(firstMoment)
                .address(secondMoment)
                .number(gradient.elements())
                .number((float) lamb.gradientScale())
                .number((float) lamb.beta1())
                .number((float) (1 - lamb.beta1()))
                .number((float) lamb.beta2())
                .number((float) (1 - lamb.beta2()))
                .run(quads(gradient.elements()), THREADS);
    }

    @Override
    public void lambDirection(Lamb lamb, Tensor weights, Tensor firstMoment, Tensor secondMoment, Tensor direction) {
        Checks.sameElements("lambDirection", weights, firstMoment, secondMoment, direction);
        Checks.f32("lambDirection", weights, firstMoment, secondMoment, direction);
        launcher.of("optimizers", "lamb_direction")
                .address(weights)
                .address(firstMoment)
                .address(secondMoment)
                .address(direction)
                .number(weights.elements())
                .number((float) lamb.firstCorrection())
                .number((float) lamb.secondCorrection())
                .number((float) lamb.epsilon())
                .number(lamb.epsilonInRoot() ? 1 : 0)
                .number((float) lamb.weightDecay())
                .run(quads(weights.elements()), THREADS);
    }

    @Override
    public void roundStochastically(Tensor x, CounterRandom random, Tensor y) {
        requireHalves("roundStochastically", x, y, y);
        launcher.of("optimizers", "round_stochastically")
                .address(x)
                .number(random.key())
                .number(random.first())
                .address(y)
                .number(x.elements())
                .run(Launcher.blocks(x.elements(), THREADS), THREADS);
    }

    @Override
    public void split(Tensor x, Tensor nearest, Tensor rest) {
        requireHalves("split", x, nearest, rest);
        launcher.of("optimizers", "split")
                .address(x)
                .address(nearest)
                .address(rest)
                .number(x.elements())
                .run(Launcher.blocks(x.elements(), THREADS), THREADS);
    }

    @Override
    public void join(Tensor nearest, Tensor rest, Tensor x) {
        requireHalves("join", x, nearest, rest);
        launcher.of("optimizers", "join")
                .address(nearest)
                .address(rest)
                .address(x)
                .number(x.elements())
                .run(Launcher.blocks(x.elements(), THREADS), THREADS);
    }

    @Override
    public void quantize(Tensor x, Quantization q, Rows words) {
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

    @Override
    public void dequantize(Rows words, Quantization q, Tensor y) {
        long rows = y.shape().rows();
        q.requireRows("dequantize", words, rows, y.shape().columns());
        sum(new Rows(words.tensor(), words.first(), 0), 1, words.stride(), q, y);
    }

    @Override
    public void sumQuantized(Rows words, long rows, Quantization q, Tensor y) {
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

    private static void requireHalves(String call, Tensor x, Tensor nearest, Tensor rest) {
        Checks.sameElements(call, x, nearest);
        Checks.equal(call, "bytes", 2 * x.elements(), rest.byteSize());
        if (x.dtype() != DType.F32 || nearest.dtype() != DType.BF16) {
            throw new IllegalArgumentException(call + ": between F32 and BF16, not " + x + " and " + nearest);
        }
    }

    private static int columns(Tensor x) {
        return Math.toIntExact(x.shape().columns());
    }
}
