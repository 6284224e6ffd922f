package ds.backend.cuda;

import ds.api.Adagrad;
import ds.api.Adam;
import ds.api.Attention;
import ds.api.CounterRandom;
import ds.api.Dropout;
import ds.api.Lamb;
import ds.api.LayerNorm;
import ds.api.Lion;
import ds.api.Quantization;
import ds.api.Sgd;
import ds.api.Shape;
import ds.api.Tensor;
import ds.backend.cuda.launch.CudaStream;
import ds.backend.cuda.launch.Launcher;
import ds.backend.cuda.product.Products;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * All kernels: the core, and the fused ones, most of them one launch. Operands of different types, and heads larger than there are kernels
 * for, are left to the compositions.
 */
final class CudaKernels extends CudaCoreKernels {
    /**
     * Of logits, which are read twice: with as many threads as a multiprocessor has for two rows, those of all multiprocessors stay in the
     * cache in between. Of GPT-2's vocabulary in BF16, 100 KB, that is 26 MB on 132 multiprocessors, where eight rows of each were 106.
     */
    private static final int LONG_ROW_THREADS = 1024;

    private static final int LONG_ROW_BYTES = 16 << 10;

    private final AttentionKernels attention;
    private final GeluKernels gelu;
    private final NormKernels norms;
    private final OptimizerKernels optimizers;
    private final QuantizationKernels quantization;

    CudaKernels(CudaBackend backend, CudaStream stream, Launcher launcher, Products products) {
        super(backend, stream, launcher, products);
        this.attention = new AttentionKernels(launcher, work, backend.modules());
        this.gelu = new GeluKernels(launcher, work);
        this.norms = new NormKernels(launcher, work, backend.cuda().properties().multiprocessors());
        this.optimizers = new OptimizerKernels(launcher);
        this.quantization = new QuantizationKernels(launcher);
    }

    @Override
    public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        requireProduct("linear", Operand.of(x), Operand.of(w), y);
        Checks.equal("linear", "elements of the bias", w.shape().columns(), bias.elements());
        if (!product(Operand.of(x), Operand.of(w), y, Products.Ending.bias(bias), false)) {
            super.linear(x, w, bias, y);
        }
    }

    /** {@code inner} is what GELU takes, bias included. */
    @Override
    public void linearGelu(Tensor x, Tensor w, Tensor bias, Tensor inner, Tensor y) {
        requireProduct("linearGelu", Operand.of(x), Operand.of(w), y);
        Checks.equal("linearGelu", "elements of the bias", w.shape().columns(), bias.elements());
        Checks.sameElements("linearGelu", y, inner);
        if (!product(Operand.of(x), Operand.of(w), y, Products.Ending.gelu(bias, inner), false)) {
            linear(x, w, bias, inner);
            if (Checks.sameType(inner, y)) {
                gelu.forward(inner, Optional.empty(), y);
            } else {
                withoutBias(inner, none -> super.biasGelu(inner, none, y));
            }
        }
    }

    @Override
    public void geluLinearBackward(Tensor dOut, Tensor w, Tensor inner, Tensor bias, Tensor dInner, Tensor dBias) {
        Operand transposed = Operand.transposed(w);
        requireProduct("geluLinearBackward", Operand.of(dOut), transposed, dInner);
        Checks.rows("geluLinearBackward", inner, dBias, dInner);
        if (product(Operand.of(dOut), transposed, dInner, Products.Ending.geluGradient(inner), false)) {
            sumColumns(dInner, dBias, 1);
        } else {
            product(Operand.of(dOut), transposed, dInner, Products.Ending.NONE, false);
            if (Checks.sameType(dInner, inner)) {
                gelu.backward(dInner, inner, Optional.empty(), dInner, dBias);
            } else {
                withoutBias(inner, none -> super.biasGeluBackward(dInner, inner, none, dInner, dBias));
            }
        }
    }

    /** For compositions, which add one. */
    private void withoutBias(Tensor x, Consumer<Tensor> composed) {
        Tensor zeros = backend().allocate(x.dtype(), Shape.of(x.shape().columns()), "temporary");
        composed.accept(zeros);
        stream().synchronize();
        zeros.buffer().close();
    }

    @Override
    public void biasGelu(Tensor x, Tensor bias, Tensor y) {
        Checks.rows("biasGelu", x, bias, y);
        if (Checks.sameType(x, bias, y)) {
            gelu.forward(x, Optional.of(bias), y);
        } else {
            super.biasGelu(x, bias, y);
        }
    }

    @Override
    public void biasGeluBackward(Tensor dy, Tensor x, Tensor bias, Tensor dx, Tensor dBias) {
        Checks.rows("biasGeluBackward", x, bias, dy);
        Checks.rows("biasGeluBackward", x, dBias, dx);
        if (Checks.sameType(dy, x, bias, dx)) {
            gelu.backward(dy, x, Optional.of(bias), dx, dBias);
        } else {
            super.biasGeluBackward(dy, x, bias, dx, dBias);
        }
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
            norms.forward(x, null, x, norm, y);
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
            norms.forward(x, residual, sum, norm, y);
        } else {
            super.residualLayerNorm(x, residual, sum, norm, y);
        }
    }

    @Override
    public void layerNormBackward(Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {
        Checks.rows("layerNormBackward", x, gradients.weight(), dy);
        Checks.rows("layerNormBackward", x, gradients.bias(), dx);
        Checks.statistics(norm, x);
        if (Checks.sameType(dy, x, norm.weight(), dx)) {
            norms.backward(dy, x, norm, gradients, dx);
        } else {
            super.layerNormBackward(dy, x, norm, gradients, dx);
        }
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
                .run(rowBlocks(rows), logits.byteSize() / rows > LONG_ROW_BYTES ? LONG_ROW_THREADS : THREADS);
    }

    @Override
    public void adam(Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        optimizers.adam(adam, weights, gradient, firstMoment, secondMoment);
    }

    @Override
    public void adam(
            Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment, Tensor rounded) {
        optimizers.adam(adam, weights, gradient, firstMoment, secondMoment, rounded);
    }

    @Override
    public void lion(Lion lion, Tensor weights, Tensor gradient, Tensor momentum) {
        optimizers.lion(lion, weights, gradient, momentum);
    }

    @Override
    public void adagrad(Adagrad adagrad, Tensor weights, Tensor gradient, Tensor squares) {
        optimizers.adagrad(adagrad, weights, gradient, squares);
    }

    @Override
    public void sgd(Sgd sgd, Tensor weights, Tensor gradient, Tensor velocity) {
        optimizers.sgd(sgd, weights, gradient, velocity);
    }

    @Override
    public void lambMoments(Lamb lamb, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        optimizers.lambMoments(lamb, gradient, firstMoment, secondMoment);
    }

    @Override
    public void lambDirection(Lamb lamb, Tensor weights, Tensor firstMoment, Tensor secondMoment, Tensor direction) {
        optimizers.lambDirection(lamb, weights, firstMoment, secondMoment, direction);
    }

    @Override
    public void roundStochastically(Tensor x, CounterRandom random, Tensor y) {
        optimizers.roundStochastically(x, random, y);
    }

    @Override
    public void split(Tensor x, Tensor nearest, Tensor rest) {
        optimizers.split(x, nearest, rest);
    }

    @Override
    public void join(Tensor nearest, Tensor rest, Tensor x) {
        optimizers.join(nearest, rest, x);
    }

    @Override
    public void quantize(Tensor x, Quantization q, Rows words) {
        quantization.quantize(x, q, words);
    }

    @Override
    public void dequantize(Rows words, Quantization q, Tensor y) {
        quantization.dequantize(words, q, y);
    }

    @Override
    public void sumQuantized(Rows words, long rows, Quantization q, Tensor y) {
        quantization.sumQuantized(words, rows, q, y);
    }
}
