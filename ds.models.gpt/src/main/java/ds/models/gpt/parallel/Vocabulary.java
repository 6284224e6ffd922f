package ds.models.gpt.parallel;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Rows;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;

/**
 * The table of tokens {@code [V, C]}, of which each rank has the rows of a block of tokens; the last block may be smaller, so that
 * no vocabulary has to be padded.
 */
public record Vocabulary(TensorAxis axis, Parameter table) {
    /** {@return the table of a vocabulary of {@code tokens}} */
    public static Vocabulary of(TensorAxis axis, String name, long tokens, long channels) {
        return new Vocabulary(
                axis, new Parameter(name, axis.rows(Shape.of(tokens, channels), 1), new Initializer.Normal(0, 0.02)));
    }

    /** {@return how many tokens this rank has} */
    public long count() {
        return table.shape().rows();
    }

    /** {@return the first of them} */
    public long first() {
        return axis.rank() * mostTokens();
    }

    /** {@return the most that a rank has} */
    public long mostTokens() {
        return table.slice().mostElements() / table.shape().columns();
    }

    /**
     * Tokens as one rank sees them.
     *
     * @param rows of the table, I32 {@code [m]}: the token's, or row 0 where the token is another rank's
     * @param isOwn F32 {@code [m]}: 1 where the token is this rank's, else 0
     */
    public record Own(Tensor rows, Tensor isOwn) {}

    /**
     * {@return which tokens are this rank's, in scratch memory}
     *
     * @param tokens I32 {@code [m]}; exact as F32, since there are fewer than 2^24 tokens
     */
    public Own own(Pass pass, Tensor tokens) {
        long m = tokens.elements();
        Kernels kernels = pass.kernels();
        Tensor number = pass.scratch(DType.F32, m);
        Tensor bound = pass.scratch(DType.F32, 1);
        Tensor isOwn = pass.scratch(DType.F32, m);
        Tensor beyond = pass.scratch(DType.F32, m);
        Tensor rows = pass.scratch(DType.I32, m);
        kernels.copy(tokens.reshape(m), number);
        kernels.fill(bound, first());
        kernels.binary(Binary.SUBTRACT, number, bound, Broadcast.SCALAR, number);
        kernels.fill(bound, 0);
        kernels.binary(Binary.GREATER_EQUAL, number, bound, Broadcast.SCALAR, isOwn);
        kernels.fill(bound, count());
        kernels.binary(Binary.GREATER_EQUAL, number, bound, Broadcast.SCALAR, beyond);
        kernels.binary(Binary.SUBTRACT, isOwn, beyond, Broadcast.NONE, isOwn);
        kernels.binary(Binary.MULTIPLY, number, isOwn, Broadcast.NONE, number);
        kernels.copy(number, rows);
        return new Own(rows, isOwn);
    }

    /**
     * Looks tokens up.
     *
     * @param y {@code [m, C]}: the token's row, or zeros where it is another rank's; the sum over the ranks is the embedding
     */
    public void lookUp(Pass pass, Own own, Tensor y) {
        pass.kernels().gatherRows(pass.weight(table), own.rows(), y);
        pass.kernels().binary(Binary.MULTIPLY, y, own.isOwn(), Broadcast.COLUMN, y);
    }

    /**
     * Adds to the table's gradient.
     *
     * @param dy gradient of {@link #lookUp}'s result, {@code [m, C]}; rows of other ranks' tokens are set to zero
     */
    public void addGradient(Pass pass, Own own, Tensor dy) {
        pass.kernels().binary(Binary.MULTIPLY, dy, own.isOwn(), Broadcast.COLUMN, dy);
        pass.kernels().scatterAddRows(dy, own.rows(), pass.gradient(table));
    }

    /**
     * Puts the logits of all tokens side by side, on every rank of a split model.
     *
     * @param own {@code [m, count()]}: of this rank's tokens
     * @param all {@code [m, V]}
     */
    public void gatherLogits(Pass pass, Tensor own, Tensor all) {
        long m = own.shape().rows();
        long mark = pass.mark();
        Tensor blocks = pass.scratch(all.dtype(), axis.size() * m, mostTokens());
        Tensor mine = blocks.rows(axis.rank() * m, m);
        Kernels kernels = pass.kernels();
        kernels.fill(mine, 0); // the last block is narrower
        kernels.copyRows(new Rows(own, 0, count()), new Rows(mine, 0, mostTokens()), m, count());
        TokenRows.await(pass, axis.group().orElseThrow().allGather(mine, blocks, TokenRows.call(pass, "logits")));
        long vocabulary = table.whole().rows();
        for (int rank = 0; rank < axis.size(); rank++) {
            long first = rank * mostTokens();
            kernels.copyRows(
                    new Rows(blocks, rank * m * mostTokens(), mostTokens()),
                    new Rows(all, first, vocabulary),
                    m,
                    Math.min(mostTokens(), vocabulary - first));
        }
        pass.release(mark);
    }
}
