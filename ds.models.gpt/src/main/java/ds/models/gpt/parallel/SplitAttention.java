package ds.models.gpt.parallel;

import ds.api.Attention;
import ds.api.Dropout;
import ds.api.Tensor;
import ds.api.layer.Pass;

/**
 * Attention of this rank's heads, with the dropout that they have in the whole model.
 *
 * @param pass the micro-batch
 * @param axis the ranks, to which the heads are dealt
 * @param heads of the model
 * @param rate of the dropout
 * @param site of the dropout
 */
public record SplitAttention(Pass pass, TensorAxis axis, int heads, double rate, long site) {
    /** As {@link ds.api.Kernels#attention}, {@code qkv} and {@code y} with this rank's channels. */
    public void forward(Tensor qkv, Tensor y, Tensor logSumExp) {
        long step = sequencesAtOnce(qkv);
        for (long b = 0; b < qkv.shape().dim(0); b += step) {
            pass.kernels().attention(part(qkv, b, step), attention(b), part(y, b, step), part(logSumExp, b, step));
        }
    }

    /** As {@link ds.api.Kernels#attentionBackward}. */
    public void backward(Tensor dy, Tensor qkv, Tensor y, Tensor logSumExp, Tensor dqkv) {
        long step = sequencesAtOnce(qkv);
        for (long b = 0; b < qkv.shape().dim(0); b += step) {
            pass.kernels()
                    .attentionBackward(
                            part(dy, b, step),
                            part(qkv, b, step),
                            attention(b),
                            part(y, b, step),
                            part(logSumExp, b, step),
                            part(dqkv, b, step));
        }
    }

    /** This rank's heads are side by side among those of one sequence only, and so are the random numbers of their dropout. */
    private long sequencesAtOnce(Tensor qkv) {
        return axis.isSplit() && attention(0).dropout().active()
                ? 1
                : qkv.shape().dim(0);
    }

    private static Tensor part(Tensor tensor, long sequence, long count) {
        long each = tensor.elements() / tensor.shape().dim(0);
        return tensor.slice(
                sequence * each, count, tensor.shape().dim(1), tensor.shape().dim(2));
    }

    private Attention attention(long sequence) {
        TensorAxis.Share own = axis.shareOf(heads);
        Attention whole = pass.attention(heads, rate, site);
        long scores = pass.batch().inputs().shape().columns()
                * pass.batch().inputs().shape().columns();
        Dropout dropout = whole.dropout().from((sequence * heads + own.first()) * scores);
        return new Attention(own.count(), dropout);
    }
}
