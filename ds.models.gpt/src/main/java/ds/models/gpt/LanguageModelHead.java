package ds.models.gpt;

import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Reduction;
import ds.api.DType;
import ds.api.LayerNorm;
import ds.api.Tensor;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import java.util.List;

/**
 * Final normalisation, projection to the vocabulary by the token table, and cross-entropy: {@code [B, T, C]} to the mean loss
 * in nats per token, or, for a batch without targets, to logits {@code [B, T, V]}.
 *
 * <p>Logits exist for some rows at a time only: as soon as a chunk's loss is known, so is its gradient, and both products of
 * the backward pass are done while the chunk is there. So the forward pass of training already adds to the token table's
 * gradient, and the backward pass has only the normalisation left.
 */
final class LanguageModelHead implements Layer {
    /** Bytes of logits that exist at a time: enough rows to multiply fast, whatever the vocabulary and the batch. */
    private static final long CHUNK_BYTES = 128 << 20;

    private final GptConfig config;
    private final Normalization norm;
    private final Parameter tokenTable;

    LanguageModelHead(GptConfig config, Parameter tokenTable) {
        this.config = config;
        this.norm = Normalization.of("ln_f", config);
        this.tokenTable = tokenTable;
    }

    @Override
    public String name() {
        return "head";
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(norm.weight(), norm.bias(), tokenTable);
    }

    /** The forward pass has already used the table for its gradients. */
    @Override
    public List<Parameter> readInBackward() {
        return List.of(norm.weight(), norm.bias());
    }

    @Override
    public Tensor forward(Pass pass, Tensor x, Saved saved) {
        long rows = x.shape().rows();
        Tensor statistics = pass.keep(DType.F32, 2, rows);
        Tensor normed = pass.keep(x.shape().dim(0), x.shape().dim(1), config.channels());
        pass.kernels().layerNorm(x, operands(pass, statistics), normed);
        if (pass.batch().targets().isEmpty()) {
            return logits(pass, normed);
        }
        Tensor losses = pass.keep(DType.F32, 1, rows);
        long chunkRows = chunkRows(pass, rows);
        long mark = pass.mark();
        Tensor chunk = pass.scratch(chunkRows, config.vocabulary());
        for (long row = 0; row < rows; row += chunkRows) {
            long count = Math.min(chunkRows, rows - row);
            lossOf(pass, normed.rows(row, count), losses.slice(row, count), new Chunk(row, chunk.rows(0, count)));
        }
        pass.release(mark);
        Tensor loss = pass.keep(DType.F32, 1);
        pass.kernels().reduceRows(Reduction.SUM, losses, loss);
        pass.kernels().axpby(1.0 / rows, loss, 0, loss);
        saved.push(x);
        saved.push(statistics);
        saved.push(normed);
        return loss;
    }

    /**
     * Rows of the batch on their way through the vocabulary.
     *
     * @param firstRow of the batch
     * @param logits {@code [count, V]}
     */
    private record Chunk(long firstRow, Tensor logits) {}

    /** Loss of some rows; in training also their gradient, which replaces the normalised rows. */
    private void lossOf(Pass pass, Tensor normed, Tensor losses, Chunk chunk) {
        Tensor table = pass.weight(tokenTable);
        Tensor logits = chunk.logits();
        long count = logits.shape().rows();
        Tensor targets = pass.batch().targets().orElseThrow().slice(chunk.firstRow(), count);
        long rows = pass.batch().inputs().elements();
        pass.kernels().matmul(Operand.of(normed), Operand.transposed(table), logits, 0);
        pass.kernels().crossEntropy(logits, targets, config.vocabulary(), pass.lossScale() / rows, losses);
        if (pass.training()) {
            pass.kernels().matmul(Operand.transposed(logits), Operand.of(normed), pass.gradient(tokenTable), 1);
            pass.kernels().matmul(Operand.of(logits), Operand.of(table), normed, 0);
        }
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        Tensor dNormed = saved.pop();
        Tensor statistics = saved.pop();
        Tensor x = saved.pop();
        Tensor dx = pass.keep(x.shape().dim(0), x.shape().dim(1), config.channels());
        pass.kernels().fill(dx, 0);
        pass.kernels().layerNormBackward(dNormed, x, operands(pass, statistics), norm.gradients(pass), dx);
        return dx;
    }

    /** {@return logits {@code [B, T, V]} of rows already normalised} */
    private Tensor logits(Pass pass, Tensor normed) {
        Tensor logits = pass.keep(normed.shape().dim(0), normed.shape().dim(1), config.vocabulary());
        pass.kernels().matmul(Operand.of(normed), Operand.transposed(pass.weight(tokenTable)), logits, 0);
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
        Tensor logits = pass.keep(DType.F32, b, 1, config.vocabulary());
        pass.kernels().matmul(Operand.of(last), Operand.transposed(pass.weight(tokenTable)), logits, 0);
        return logits;
    }

    private LayerNorm operands(Pass pass, Tensor statistics) {
        return norm.operands(pass, statistics.rows(0, 1), statistics.rows(1, 1));
    }

    /** As many rows as fit, in equal chunks, so that the last one is not a sliver. */
    private long chunkRows(Pass pass, long rows) {
        long most =
                Math.max(1, CHUNK_BYTES / (config.vocabulary() * pass.dtype().byteSize()));
        return Math.ceilDiv(rows, Math.ceilDiv(rows, most));
    }
}
