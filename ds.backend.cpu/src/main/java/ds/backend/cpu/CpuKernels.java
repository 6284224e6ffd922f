package ds.backend.cpu;

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
import ds.api.Signs;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.backend.cpu.attention.TiledAttention;
import ds.backend.cpu.product.MatrixProducts;
import ds.backend.cpu.threads.WorkerPool;
import ds.backend.cpu.vector.AdagradKernel;
import ds.backend.cpu.vector.AdamBf16Kernel;
import ds.backend.cpu.vector.AdamKernel;
import ds.backend.cpu.vector.AttentionKernel;
import ds.backend.cpu.vector.Bf16Kernel;
import ds.backend.cpu.vector.CrossEntropyKernel;
import ds.backend.cpu.vector.DropoutKernel;
import ds.backend.cpu.vector.EmbeddingKernel;
import ds.backend.cpu.vector.GeluKernel;
import ds.backend.cpu.vector.LambKernel;
import ds.backend.cpu.vector.LayerNormKernel;
import ds.backend.cpu.vector.LionKernel;
import ds.backend.cpu.vector.QuantizationKernel;
import ds.backend.cpu.vector.SgdKernel;
import ds.backend.cpu.vector.SignKernel;

/** All kernels: the core, and each fused one in one pass over its operands. */
final class CpuKernels extends CpuCoreKernels {
    private static final long GRAIN_BLOCKS = Math.max(1, GRAIN / Signs.BLOCK);

    private final WorkerPool pool;
    private final MatrixProducts products;
    private final TiledAttention tiled;

    CpuKernels(TensorBackend backend, Stream stream, WorkerPool pool, MatrixProducts products, TiledAttention tiled) {
        super(backend, stream, pool, products);
        this.pool = pool;
        this.products = products;
        this.tiled = tiled;
    }

    @Override
    public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {
        requireEqual("linear", "elements of the bias", w.shape().columns(), bias.elements());
        products.multiplyAndAddBias(Operand.of(x), Operand.of(w), bias, y);
    }

    @Override
    public void biasGelu(Tensor x, Tensor bias, Tensor y) {
        requireRows("biasGelu", x, bias, y);
        pool.run(rows(x), grainRows(columns(x)), (part, worker) -> GeluKernel.forward(x, bias, y, part));
    }

    @Override
    public void biasGeluBackward(Tensor dy, Tensor x, Tensor bias, Tensor dx, Tensor dBias) {
        requireRows("biasGeluBackward", x, bias, dy);
        requireRows("biasGeluBackward", x, dBias, dx);
        sums.reset(rows(x), Math.toIntExact(columns(x)));
        pool.run(
                sums.blocks(),
                1,
                (block, worker) ->
                        GeluKernel.backward(dy, x, bias, dx, sums, sums.part((int) block.first(), block.scratch())));
        pool.run(1, 1, (part, worker) -> sums.addTo(dBias, 0, part.scratch()));
    }

    @Override
    public void dropout(Tensor x, Dropout dropout, Tensor y) {
        requireEqual("dropout", "elements", x.elements(), y.elements());
        pool.run(x.elements(), GRAIN, (part, worker) -> DropoutKernel.run(x, dropout, y, part));
    }

    @Override
    public void layerNorm(Tensor x, LayerNorm norm, Tensor y) {
        requireRows("layerNorm", x, norm.weight(), y);
        requireStatistics(norm, x);
        pool.run(rows(x), grainRows(columns(x)), (part, worker) -> LayerNormKernel.forward(x, norm, y, part));
    }

    @Override
    public void residualLayerNorm(Tensor x, Tensor residual, Tensor sum, LayerNorm norm, Tensor y) {
        requireRows("residualLayerNorm", x, norm.weight(), y);
        requireRows("residualLayerNorm", residual, norm.bias(), sum);
        requireStatistics(norm, x);
        pool.run(
                rows(x),
                grainRows(columns(x)),
                (part, worker) -> LayerNormKernel.residualForward(x, residual, sum, norm, y, part));
    }

    @Override
    public void layerNormBackward(Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {
        requireRows("layerNormBackward", x, gradients.weight(), dy);
        requireRows("layerNormBackward", x, gradients.bias(), dx);
        requireStatistics(norm, x);
        int bias = LayerNormKernel.biasColumn(Math.toIntExact(columns(x)));
        sums.reset(rows(x), 2 * bias);
        pool.run(
                sums.blocks(),
                1,
                (block, worker) -> LayerNormKernel.backward(
                        dy, x, norm, dx, sums, sums.part((int) block.first(), block.scratch())));
        pool.run(1, 1, (part, worker) -> {
            sums.addTo(gradients.weight(), 0, part.scratch());
            sums.addTo(gradients.bias(), bias, part.scratch());
        });
    }

    @Override
    public void embedding(Tensor tokens, Tensor tokenTable, Tensor positionTable, Tensor y) {
        requireEmbedding("embedding", tokens, tokenTable, positionTable, y);
        pool.run(
                tokens.elements(),
                grainRows(columns(tokenTable)),
                (part, worker) -> EmbeddingKernel.forward(tokens, tokenTable, positionTable, y, part));
    }

    @Override
    public void embeddingBackward(Tensor dy, Tensor tokens, Tensor dTokenTable, Tensor dPositionTable) {
        requireEmbedding("embeddingBackward", tokens, dTokenTable, dPositionTable, dy);
        pool.run(
                columns(dTokenTable),
                GRAIN_COLUMNS,
                (part, worker) -> EmbeddingKernel.backward(dy, tokens, dTokenTable, dPositionTable, part));
    }

    @Override
    public void attention(Tensor qkv, Attention attention, Tensor y, Tensor logSumExp) {
        long heads = requireHeads("attention", qkv, attention.heads(), y);
        requireEqual("attention", "elements of logSumExp", heads * qkv.shape().dim(1), logSumExp.elements());
        if (tiled.takes(qkv, y)) {
            tiled.forward(qkv, attention, y, logSumExp);
        } else {
            pool.run(heads, 1, (part, worker) -> AttentionKernel.forward(qkv, attention, y, logSumExp, part));
        }
    }

    @Override
    public void attentionBackward(Tensor dy, Tensor qkv, Attention attention, Tensor y, Tensor logSumExp, Tensor dqkv) {
        long heads = requireHeads("attentionBackward", qkv, attention.heads(), dy);
        requireEqual("attentionBackward", "elements", qkv.elements(), dqkv.elements());
        if (tiled.takes(qkv, y, dy, dqkv)) {
            tiled.backward(dy, qkv, attention, logSumExp, dqkv);
        } else {
            pool.run(
                    heads, 1, (part, worker) -> AttentionKernel.backward(dy, qkv, attention, y, logSumExp, dqkv, part));
        }
    }

    @Override
    public void cachedAttention(Tensor qkv, Tensor keys, Tensor values, long past, int heads, Tensor y) {
        long allHeads = requireHeads("cachedAttention", qkv, heads, y);
        long capacity = Math.min(keys.shape().dim(1), values.shape().dim(1));
        if (past < 0 || past + qkv.shape().dim(1) > capacity) {
            throw new IllegalArgumentException("cachedAttention: " + past + " positions and "
                    + qkv.shape().dim(1) + " more do not fit into a cache of " + capacity);
        }
        pool.run(
                rows(qkv),
                grainRows(columns(qkv)),
                (part, worker) -> AttentionKernel.append(qkv, keys, values, past, part));
        pool.run(allHeads, 1, (part, worker) -> AttentionKernel.cached(qkv, keys, values, past, heads, y, part));
    }

    @Override
    public void crossEntropy(Tensor logits, Tensor targets, long vocabulary, double gradientScale, Tensor losses) {
        requireEqual("crossEntropy", "targets", rows(logits), targets.elements());
        requireEqual("crossEntropy", "losses", rows(logits), losses.elements());
        if (vocabulary < 1 || vocabulary > columns(logits)) {
            throw new IllegalArgumentException(
                    "crossEntropy: vocabulary " + vocabulary + " is not from 1 to the columns of " + logits);
        }
        pool.run(
                rows(logits),
                grainRows(columns(logits)),
                (part, worker) -> CrossEntropyKernel.run(logits, targets, vocabulary, gradientScale, losses, part));
    }

    @Override
    public void softmax(Tensor x, Tensor logSumExp, double scale) {
        requireEqual("softmax", "logarithms of sums", rows(x), logSumExp.elements());
        pool.run(
                rows(x),
                grainRows(columns(x)),
                (part, worker) -> CrossEntropyKernel.softmax(x, logSumExp, scale, part));
    }

    @Override
    public void adam(Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        requireEqual("adam", "elements of the gradient", weights.elements(), gradient.elements());
        requireEqual("adam", "elements of the first moment", weights.elements(), firstMoment.elements());
        requireEqual("adam", "elements of the second moment", weights.elements(), secondMoment.elements());
        pool.run(
                weights.elements(),
                GRAIN,
                (part, worker) -> AdamKernel.step(adam, weights, gradient, firstMoment, secondMoment, part));
    }

    @Override
    public void adam(
            Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment, Tensor rounded) {
        if (gradient.dtype() != DType.BF16 || rounded.dtype() != DType.BF16) {
            super.adam(adam, weights, gradient, firstMoment, secondMoment, rounded);
            return;
        }
        requireEqual("adam", "elements of the gradient", weights.elements(), gradient.elements());
        requireEqual("adam", "elements of the first moment", weights.elements(), firstMoment.elements());
        requireEqual("adam", "elements of the second moment", weights.elements(), secondMoment.elements());
        requireEqual("adam", "rounded weights", weights.elements(), rounded.elements());
        AdamBf16Kernel.Operands operands =
                AdamBf16Kernel.Operands.of(weights, gradient, firstMoment, secondMoment, rounded);
        pool.run(weights.elements(), GRAIN, (part, worker) -> AdamBf16Kernel.step(adam, operands, part));
    }

    @Override
    public void lion(Lion lion, Tensor weights, Tensor gradient, Tensor momentum) {
        requireEqual("lion", "elements of the gradient", weights.elements(), gradient.elements());
        requireEqual("lion", "elements of the momentum", weights.elements(), momentum.elements());
        pool.run(weights.elements(), GRAIN, (part, worker) -> LionKernel.step(lion, weights, gradient, momentum, part));
    }

    @Override
    public void adagrad(Adagrad adagrad, Tensor weights, Tensor gradient, Tensor squares) {
        requireEqual("adagrad", "elements of the gradient", weights.elements(), gradient.elements());
        requireEqual("adagrad", "sums of squares", weights.elements(), squares.elements());
        pool.run(
                weights.elements(),
                GRAIN,
                (part, worker) -> AdagradKernel.step(adagrad, weights, gradient, squares, part));
    }

    @Override
    public void sgd(Sgd sgd, Tensor weights, Tensor gradient, Tensor velocity) {
        requireEqual("sgd", "elements of the gradient", weights.elements(), gradient.elements());
        requireEqual("sgd", "elements of the velocity", weights.elements(), velocity.elements());
        pool.run(weights.elements(), GRAIN, (part, worker) -> SgdKernel.step(sgd, weights, gradient, velocity, part));
    }

    @Override
    public void lambMoments(Lamb lamb, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {
        requireEqual("lambMoments", "elements of the first moment", gradient.elements(), firstMoment.elements());
        requireEqual("lambMoments", "elements of the second moment", gradient.elements(), secondMoment.elements());
        pool.run(
                gradient.elements(),
                GRAIN,
                (part, worker) -> LambKernel.moments(lamb, gradient, firstMoment, secondMoment, part));
    }

    @Override
    public void lambDirection(Lamb lamb, Tensor weights, Tensor firstMoment, Tensor secondMoment, Tensor direction) {
        requireEqual("lambDirection", "elements of the first moment", weights.elements(), firstMoment.elements());
        requireEqual("lambDirection", "elements of the second moment", weights.elements(), secondMoment.elements());
        requireEqual("lambDirection", "elements of the direction", weights.elements(), direction.elements());
        LambKernel.Inputs inputs = new LambKernel.Inputs(weights, firstMoment, secondMoment);
        pool.run(weights.elements(), GRAIN, (part, worker) -> LambKernel.direction(lamb, inputs, direction, part));
    }

    @Override
    public void roundStochastically(Tensor x, CounterRandom random, Tensor y) {
        requireTypes("roundStochastically", x, y, y);
        pool.run(x.elements(), GRAIN, (part, worker) -> Bf16Kernel.roundStochastically(x, random, y, part));
    }

    @Override
    public void split(Tensor x, Tensor nearest, Tensor rest) {
        requireTypes("split", x, nearest, rest);
        pool.run(x.elements(), GRAIN, (part, worker) -> Bf16Kernel.split(x, nearest, rest, part));
    }

    @Override
    public void join(Tensor nearest, Tensor rest, Tensor x) {
        requireTypes("join", x, nearest, rest);
        pool.run(x.elements(), GRAIN, (part, worker) -> Bf16Kernel.join(nearest, rest, x, part));
    }

    @Override
    public void takeSigns(Tensor x, Tensor active, Signs signs) {
        signs.requireOf("takeSigns", x, active);
        pool.run(signs.scales().elements(), GRAIN_BLOCKS, (part, worker) -> SignKernel.take(x, active, signs, part));
    }

    @Override
    public void addSigns(double alpha, Signs signs, Tensor active, float beta, Tensor y) {
        signs.requireOf("addSigns", y, active);
        pool.run(
                signs.scales().elements(),
                GRAIN_BLOCKS,
                (part, worker) -> SignKernel.add(alpha, signs, active, beta, y, part));
    }

    private static void requireTypes(String call, Tensor x, Tensor nearest, Tensor rest) {
        requireEqual(call, "elements", x.elements(), nearest.elements());
        requireEqual(call, "bytes", 2 * x.elements(), rest.byteSize());
        if (x.dtype() != DType.F32 || nearest.dtype() != DType.BF16) {
            throw new IllegalArgumentException(call + ": between F32 and BF16, not " + x + " and " + nearest);
        }
    }

    @Override
    public void quantize(Tensor x, Quantization q, Rows words) {
        long blocks = rows(x) * q.blocks(columns(x));
        q.requireRows("quantize", words, rows(x), columns(x));
        pool.run(blocks, grainBlocks(q), (part, worker) -> QuantizationKernel.quantize(x, q, words, part));
    }

    @Override
    public void dequantize(Rows words, Quantization q, Tensor y) {
        long blocks = rows(y) * q.blocks(columns(y));
        q.requireRows("dequantize", words, rows(y), columns(y));
        pool.run(blocks, grainBlocks(q), (part, worker) -> QuantizationKernel.dequantize(words, q, y, part));
    }

    @Override
    public void sumQuantized(Rows words, long rows, Quantization q, Tensor y) {
        q.requireRows("sumQuantized", words, rows, y.elements());
        pool.run(
                q.blocks(y.elements()),
                grainBlocks(q),
                (part, worker) -> QuantizationKernel.sum(words, rows, q, y, part));
    }

    private static long grainBlocks(Quantization q) {
        return Math.ceilDiv(GRAIN, (long) q.blockElements());
    }

    private static long rows(Tensor x) {
        return x.shape().rows();
    }

    private static long columns(Tensor x) {
        return x.shape().columns();
    }

    private static void requireRows(String call, Tensor x, Tensor perColumn, Tensor y) {
        requireEqual(call, "elements, one for each column,", columns(x), perColumn.elements());
        requireEqual(call, "elements", x.elements(), y.elements());
    }

    private static void requireStatistics(LayerNorm norm, Tensor x) {
        requireEqual("layerNorm", "means", rows(x), norm.mean().elements());
        requireEqual("layerNorm", "rstd", rows(x), norm.rstd().elements());
    }

    private static void requireEmbedding(String call, Tensor tokens, Tensor table, Tensor positions, Tensor y) {
        requireEqual(call, "columns of the position table", columns(table), columns(positions));
        requireEqual(call, "elements", tokens.elements() * columns(table), y.elements());
        if (columns(tokens) > rows(positions)) {
            throw new IllegalArgumentException(
                    call + ": sequences of " + columns(tokens) + " tokens, but only " + rows(positions) + " positions");
        }
    }

    private static long requireHeads(String call, Tensor qkv, int heads, Tensor y) {
        long channels = columns(qkv) / 3;
        if (columns(qkv) % 3 != 0 || channels % heads != 0) {
            throw new IllegalArgumentException(
                    call + ": " + columns(qkv) + " columns are not queries, keys and values of " + heads + " heads");
        }
        requireEqual(call, "elements of the result", rows(qkv) * channels, y.elements());
        return qkv.shape().dim(0) * heads;
    }
}
