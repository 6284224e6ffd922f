package ds.models.gpt;

import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Reduction;
import ds.api.DType;
import ds.api.Device;
import ds.api.LayerNorm;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.GradientSum;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.models.gpt.parallel.SplitCrossEntropy;
import ds.models.gpt.parallel.TokenRows;
import ds.models.gpt.parallel.Vocabulary;
import java.util.List;

/**
 * Final normalisation, projection to the vocabulary by the token table, and cross-entropy: {@code [B·T, C]} to the mean loss
 * in nats per token, or, for a batch without targets, to logits {@code [B, T, V]}.
 *
 * <p>Logits exist for some rows at a time only: as soon as a chunk's loss is known, so is its gradient, and both products of
 * the backward pass are done while the chunk is there. So the forward pass of training already adds to the token table's
 * gradient, and the backward pass has only the normalisation left.
 */
final class LanguageModelHead implements Layer {
    /** Bytes of logits that exist at a time: enough rows to multiply fast, whatever the vocabulary and the batch. */
    private static final long CHUNK_BYTES = 256 << 20;

    /** The same of a device, whose hundred multiprocessors want some thousand rows each time, and whose memory has room for them. */
    private static final long DEVICE_CHUNK_BYTES = 1 << 30;

    private final GptConfig config;
    private final Normalization norm;
    private final Vocabulary vocabulary;

    LanguageModelHead(GptConfig config, Vocabulary vocabulary) {
        this.config = config;
        this.norm = Normalization.of("ln_f", config);
        this.vocabulary = vocabulary;
    }

    @Override
    public String name() {
        return "head";
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(norm.weight(), norm.bias(), vocabulary.table());
    }

    /** The forward pass has already used the table for its gradients. */
    @Override
    public List<Parameter> readInBackward() {
        return List.of(norm.weight(), norm.bias());
    }

    @Override
    public Tensor forward(Pass pass, Tensor x, Saved saved) {
        TokenRows rows = vocabulary.axis().rowsOf(pass.batch().inputs().elements());
        Tensor statistics = pass.keep(DType.F32, 2, rows.own());
        Tensor normed = pass.keep(rows.all(), config.channels());
        pass.kernels().layerNorm(x, operands(pass, statistics), rows.part(normed));
        rows.gather(pass, normed, "head input");
        if (pass.batch().targets().isEmpty()) {
            Shape shape = pass.batch().inputs().shape();
            return logits(pass, normed, pass.keep(shape.rows(), shape.columns(), config.vocabulary()));
        }
        Tensor losses = pass.keep(DType.F32, 1, rows.all());
        long chunkRows = chunkRows(pass, rows.all());
        long mark = pass.mark();
        Tensor chunk = pass.scratch(chunkRows, vocabulary.count());
        for (long row = 0; row < rows.all(); row += chunkRows) {
            long count = Math.min(chunkRows, rows.all() - row);
            lossOf(pass, normed.rows(row, count), losses.slice(row, count), new Chunk(row, chunk.rows(0, count)));
        }
        pass.release(mark);
        if (pass.training()) {
            TokenRows.await(pass, rows.sum(pass, normed, "head input gradient"));
        }
        Tensor loss = pass.keep(DType.F32, 1);
        pass.kernels().reduceRows(Reduction.SUM, losses, loss);
        pass.kernels().axpby(1.0 / rows.all(), loss, 0, loss);
        saved.push(x);
        saved.push(statistics);
        saved.push(rows.part(normed));
        return loss;
    }

    /**
     * Rows of the batch on their way through the vocabulary.
     *
     * @param firstRow of the batch
     * @param logits {@code [count, V]}, of this rank's tokens
     */
    private record Chunk(long firstRow, Tensor logits) {}

    /** Loss of some rows; in training also their gradient, which replaces the normalised rows. */
    private void lossOf(Pass pass, Tensor normed, Tensor losses, Chunk chunk) {
        Tensor table = pass.weight(vocabulary.table());
        Tensor logits = chunk.logits();
        long count = logits.shape().rows();
        Tensor targets = pass.batch().targets().orElseThrow().slice(chunk.firstRow(), count);
        long rows = pass.batch().inputs().elements();
        if (vocabulary.axis().isSplit()) {
            new SplitCrossEntropy(vocabulary).run(pass, normed, targets, logits, pass.lossScale() / rows, losses);
            return;
        }
        pass.kernels().matmul(Operand.of(normed), Operand.transposed(table), logits, 0);
        pass.kernels().crossEntropy(logits, targets, config.vocabulary(), pass.lossScale() / rows, losses);
        if (pass.training()) {
            GradientSum sum = pass.gradientSum(vocabulary.table());
            pass.kernels().matmul(Operand.transposed(logits), Operand.of(normed), sum.sum(), sum.beta());
            if (chunk.firstRow() + count == rows) {
                pass.gradientDone(vocabulary.table()); // travels during the next product
            }
            pass.kernels().matmul(Operand.of(logits), Operand.of(table), normed, 0);
        }
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        Tensor dNormed = saved.pop();
        Tensor statistics = saved.pop();
        Tensor x = saved.pop();
        Tensor dx = pass.keep(x.shape().rows(), config.channels());
        TokenRows rows = vocabulary.axis().rowsOf(pass.batch().inputs().elements());
        pass.kernels().fill(dx, 0);
        norm.backward(pass, rows, dNormed, x, operands(pass, statistics), dx);
        return dx;
    }

    /**
     * {@return logits of all tokens}
     *
     * @param normed rows already normalised
     * @param logits {@code [.., V]}; overwritten
     */
    private Tensor logits(Pass pass, Tensor normed, Tensor logits) {
        Tensor table = pass.weight(vocabulary.table());
        if (!vocabulary.axis().isSplit()) {
            pass.kernels().matmul(Operand.of(normed), Operand.transposed(table), logits, 0);
            return logits;
        }
        long mark = pass.mark();
        Tensor own = pass.scratch(logits.dtype(), normed.shape().rows(), vocabulary.count());
        pass.kernels().matmul(Operand.of(normed), Operand.transposed(table), own, 0);
        vocabulary.gatherLogits(pass, own, logits);
        pass.release(mark);
        return logits;
    }

    /** {@return logits {@code [B, 1, V]} in F32 of the last position of each sequence, for generation} */
    Tensor decode(Pass pass, Tensor x) {
        long b = x.shape().dim(0);
        long t = x.shape().dim(1);
        Tensor last = pass.keep(b, 1, config.channels());
        for (long i = 0; i < b; i++) {
            pass.kernels().copy(x.rows(i * t + t - 1, 1), last.rows(i, 1));
        }
        pass.kernels().layerNorm(last, operands(pass, pass.keep(DType.F32, 2, b)), last);
        return logits(pass, last, pass.keep(DType.F32, b, 1, config.vocabulary()));
    }

    private LayerNorm operands(Pass pass, Tensor statistics) {
        return norm.operands(pass, statistics.rows(0, 1), statistics.rows(1, 1));
    }

    /** As many rows as fit, in equal chunks, so that the last one is not a sliver. */
    private long chunkRows(Pass pass, long rows) {
        boolean onHost = pass.kernels().backend().device().equals(Device.HOST);
        long bytes = onHost ? CHUNK_BYTES : DEVICE_CHUNK_BYTES;
        long most = Math.max(1, bytes / (vocabulary.mostTokens() * pass.dtype().byteSize()));
        return Math.ceilDiv(rows, Math.ceilDiv(rows, most));
    }
}
