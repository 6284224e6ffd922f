package ds.models.gpt.parallel;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Reduction;
import ds.api.CoreKernels.Rows;
import ds.api.CoreKernels.Unary;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.layer.Pass;

/**
 * Cross-entropy of which each rank has the logits of its tokens only: no rank ever has a whole row. Ranks exchange two numbers
 * for each row in one all-gather, the logarithm of the sum of their exponentials, and the target's logit on the rank that has it.
 *
 * @param vocabulary the tokens, and the table that makes logits
 */
public record SplitCrossEntropy(Vocabulary vocabulary) {
    /**
     * Computes losses of m rows, and in training the gradient: to that of the table it is added, that of the rows replaces them.
     *
     * @param normed {@code [m, C]}; in training overwritten by this rank's summand of its gradient
     * @param targets I32 {@code [m]}
     * @param logits {@code [m, count()]}; overwritten
     * @param gradientScale with which the gradient is multiplied, positive
     * @param losses F32 {@code [m]}; the same on all ranks
     */
    public void run(Pass pass, Tensor normed, Tensor targets, Tensor logits, double gradientScale, Tensor losses) {
        long mark = pass.mark();
        Kernels kernels = pass.kernels();
        Tensor table = pass.weight(vocabulary.table());
        kernels.matmul(Operand.of(normed), Operand.transposed(table), logits, 0);
        Vocabulary.Own own = vocabulary.own(pass, targets);
        Tensor work =
                pass.scratch(DType.F32, normed.shape().rows(), normed.shape().columns());
        Tensor target = pass.scratch(DType.F32, normed.shape().rows());
        vocabulary.lookUp(pass, own, work);
        kernels.binary(Binary.MULTIPLY, work, normed, Broadcast.NONE, work);
        kernels.reduceRows(Reduction.SUM, work, target);
        Tensor logSumExp = logSumExp(pass, logits, target, losses);
        if (pass.training()) {
            kernels.softmax(logits, logSumExp, gradientScale);
            gradients(pass, normed, logits, own, new Scaled(gradientScale, work));
        }
        pass.release(mark);
    }

    /** {@return the logarithm of the sum of all ranks' exponentials, of each row; computes losses, too} */
    private Tensor logSumExp(Pass pass, Tensor logits, Tensor target, Tensor losses) {
        Kernels kernels = pass.kernels();
        TensorAxis axis = vocabulary.axis();
        int ranks = axis.size();
        long m = logits.shape().rows();
        Tensor all = pass.scratch(DType.F32, 2L * ranks, m);
        Tensor mine = all.rows(2L * axis.rank(), 2);
        ownLogSumExp(pass, logits, mine.rows(0, 1));
        kernels.copy(target, mine.rows(1, 1));
        Call call = TokenRows.call(pass, "sums of exponentials");
        TokenRows.await(pass, axis.group().orElseThrow().allGather(mine, all, call));
        Tensor max = pass.scratch(DType.F32, m);
        Tensor sum = pass.scratch(DType.F32, m);
        Tensor term = pass.scratch(DType.F32, m);
        kernels.copy(all.rows(0, 1), max);
        for (int rank = 1; rank < ranks; rank++) {
            kernels.binary(Binary.MAX, max, all.rows(2L * rank, 1), Broadcast.NONE, max);
        }
        kernels.fill(sum, 0);
        kernels.fill(losses, 0);
        for (int rank = 0; rank < ranks; rank++) {
            kernels.binary(Binary.SUBTRACT, all.rows(2L * rank, 1), max, Broadcast.NONE, term);
            kernels.unary(Unary.EXP, term, term);
            kernels.axpby(1, term, 1, sum);
            kernels.axpby(-1, all.rows(2L * rank + 1, 1), 1, losses);
        }
        kernels.unary(Unary.LOG, sum, sum);
        kernels.axpby(1, max, 1, sum);
        kernels.axpby(1, sum, 1, losses);
        return sum;
    }

    /** The loss for token 0 is the logarithm of the sum less its logit. */
    private static void ownLogSumExp(Pass pass, Tensor logits, Tensor y) {
        Kernels kernels = pass.kernels();
        long m = logits.shape().rows();
        long columns = logits.shape().columns();
        Tensor zeros = pass.scratch(DType.I32, m);
        Tensor first = pass.scratch(DType.F32, m);
        kernels.fill(zeros, 0);
        kernels.crossEntropy(logits, zeros, columns, 0, y);
        kernels.copyRows(new Rows(logits, 0, columns), new Rows(first, 0, 1), m, 1);
        kernels.axpby(1, first, 1, y);
    }

    /**
     * A factor, and F32 {@code [m, C]} to work in.
     *
     * @param gradientScale the factor
     */
    private record Scaled(double gradientScale, Tensor work) {}

    /** Softmax less one-hot: the products with softmax, and for each one a row of the table, and of its gradient. */
    private void gradients(Pass pass, Tensor normed, Tensor softmax, Vocabulary.Own own, Scaled scaled) {
        Kernels kernels = pass.kernels();
        Tensor table = pass.weight(vocabulary.table());
        Tensor work = scaled.work();
        kernels.axpby(-scaled.gradientScale(), normed, 0, work);
        vocabulary.addGradient(pass, own, work);
        kernels.matmul(Operand.transposed(softmax), Operand.of(normed), pass.gradient(vocabulary.table()), 1);
        vocabulary.lookUp(pass, own, work);
        kernels.axpby(-scaled.gradientScale(), work, 0, work);
        kernels.matmul(Operand.of(softmax), Operand.of(table), work, 1);
        kernels.copy(work, normed);
    }
}
