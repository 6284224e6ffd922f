package ds.zero.plan;

import ds.api.Adagrad;
import ds.api.Adam;
import ds.api.Attention;
import ds.api.CounterRandom;
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

/** Kernels that do nothing; fused ones too, which would otherwise be composed with temporary memory. */
record PlanningKernels(TensorBackend backend, Stream stream) implements Kernels {
    @Override
    public void fill(Tensor y, double value) {}

    @Override
    public void copy(Tensor x, Tensor y) {}

    @Override
    public void copyRows(Rows x, Rows y, long rows, long columns) {}

    @Override
    public void matmul(Operand a, Operand b, Tensor c, float beta) {}

    @Override
    public void unary(Unary op, Tensor x, Tensor y) {}

    @Override
    public void binary(Binary op, Tensor a, Tensor b, Broadcast broadcast, Tensor y) {}

    @Override
    public void axpby(double alpha, Tensor x, double beta, Tensor y) {}

    @Override
    public void reduceRows(Reduction op, Tensor x, Tensor y) {}

    @Override
    public void sumColumns(Tensor x, Tensor y, float beta) {}

    @Override
    public void gatherRows(Tensor table, Tensor index, Tensor y) {}

    @Override
    public void gatherRowsWithin(Tensor table, long first, long end, Tensor index, Tensor y) {}

    @Override
    public void scatterAddRows(Tensor x, Tensor index, Tensor table) {}

    @Override
    public void scatterRows(Tensor x, Tensor index, Tensor table) {}

    @Override
    public void uniform(CounterRandom random, Tensor y) {}

    @Override
    public void sumOfSquares(Tensor x, Tensor y) {}

    @Override
    public void linear(Tensor x, Tensor w, Tensor bias, Tensor y) {}

    @Override
    public void biasGelu(Tensor x, Tensor bias, Tensor y) {}

    @Override
    public void biasGeluBackward(Tensor dy, Tensor x, Tensor bias, Tensor dx, Tensor dBias) {}

    @Override
    public void linearGelu(Tensor x, Tensor w, Tensor bias, Tensor inner, Tensor y) {}

    @Override
    public void geluLinearBackward(Tensor dOut, Tensor w, Tensor inner, Tensor bias, Tensor dInner, Tensor dBias) {}

    @Override
    public void dropout(Tensor x, Dropout dropout, Tensor y) {}

    @Override
    public void layerNorm(Tensor x, LayerNorm norm, Tensor y) {}

    @Override
    public void residualLayerNorm(Tensor x, Tensor residual, Tensor sum, LayerNorm norm, Tensor y) {}

    @Override
    public void layerNormBackward(Tensor dy, Tensor x, LayerNorm norm, LayerNorm.Gradients gradients, Tensor dx) {}

    @Override
    public void embedding(Tensor tokens, Tensor tokenTable, Tensor positionTable, Tensor y) {}

    @Override
    public void embeddingBackward(Tensor dy, Tensor tokens, Tensor dTokenTable, Tensor dPositionTable) {}

    @Override
    public void attention(Tensor qkv, Attention attention, Tensor y, Tensor logSumExp) {}

    @Override
    public void attentionBackward(
            Tensor dy, Tensor qkv, Attention attention, Tensor y, Tensor logSumExp, Tensor dqkv) {}

    @Override
    public void cachedAttention(Tensor qkv, Tensor keys, Tensor values, long past, int heads, Tensor y) {}

    @Override
    public void crossEntropy(Tensor logits, Tensor targets, long vocabulary, double gradientScale, Tensor losses) {}

    @Override
    public void softmax(Tensor x, Tensor logSumExp, double scale) {}

    @Override
    public void adam(Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {}

    @Override
    public void adam(
            Adam adam, Tensor weights, Tensor gradient, Tensor firstMoment, Tensor secondMoment, Tensor rounded) {}

    @Override
    public void lion(Lion lion, Tensor weights, Tensor gradient, Tensor momentum) {}

    @Override
    public void adagrad(Adagrad adagrad, Tensor weights, Tensor gradient, Tensor squares) {}

    @Override
    public void sgd(Sgd sgd, Tensor weights, Tensor gradient, Tensor velocity) {}

    @Override
    public void lambMoments(Lamb lamb, Tensor gradient, Tensor firstMoment, Tensor secondMoment) {}

    @Override
    public void lambDirection(Lamb lamb, Tensor weights, Tensor firstMoment, Tensor secondMoment, Tensor direction) {}

    @Override
    public void roundStochastically(Tensor x, CounterRandom random, Tensor y) {}

    @Override
    public void split(Tensor x, Tensor nearest, Tensor rest) {}

    @Override
    public void join(Tensor nearest, Tensor rest, Tensor x) {}

    @Override
    public void takeSigns(Tensor x, Tensor active, Signs signs) {}

    @Override
    public void addSigns(double alpha, Signs signs, Tensor active, float beta, Tensor y) {}

    @Override
    public void quantize(Tensor x, Quantization quantization, Rows words) {}

    @Override
    public void dequantize(Rows words, Quantization quantization, Tensor y) {}

    @Override
    public void sumQuantized(Rows words, long rows, Quantization quantization, Tensor y) {}
}
