package ds.models.gpt.parallel;

import ds.api.CoreKernels.Binary;
import ds.api.CoreKernels.Broadcast;
import ds.api.CoreKernels.Operand;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.GradientSum;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;

/**
 * The two parameters of {@code y = x · weight + bias}, weight {@code [in, out]} as in GPT-2's files, and what is done with them.
 * Split by columns a rank computes some channels of y from all of x; split by rows it computes from some channels of x a summand
 * of y. The gradient of the input and those of the parameters are computed apart, so that one travels during the others.
 */
public record Linear(Parameter weight, Parameter bias) {
    /**
     * {@return a linear layer of which each rank computes its part of the output}
     *
     * @param groups matrices side by side, each of which is split: 3 for queries, keys and values
     * @param unit columns that stay together, such as those of a head
     * @param standardDeviation of the weight's initial values
     */
    public static Linear ofColumns(
            TensorAxis axis, String name, Shape whole, int groups, long unit, double standardDeviation) {
        return new Linear(
                new Parameter(
                        name + ".weight",
                        axis.columns(whole, groups, unit),
                        new Initializer.Normal(0, standardDeviation)),
                new Parameter(
                        name + ".bias",
                        axis.columns(Shape.of(whole.columns()), groups, unit),
                        new Initializer.Constant(0)));
    }

    /**
     * {@return a linear layer of which each rank has its part of the input; the bias is every rank's}
     *
     * @param unit rows that stay together, such as those of a head
     * @param standardDeviation of the weight's initial values
     */
    public static Linear ofRows(TensorAxis axis, String name, Shape whole, long unit, double standardDeviation) {
        return new Linear(
                new Parameter(name + ".weight", axis.rows(whole, unit), new Initializer.Normal(0, standardDeviation)),
                new Parameter(name + ".bias", Shape.of(whole.columns()), new Initializer.Constant(0)));
    }

    /** Computes y of all rows: of a layer split by columns. */
    public void forward(Pass pass, Tensor x, Tensor y) {
        pass.kernels().linear(x, pass.weight(weight), pass.weight(bias), y);
    }

    /** The product alone, for a kernel that adds the bias itself. */
    public void forwardWithoutBias(Pass pass, Tensor x, Tensor y) {
        pass.kernels().matmul(Operand.of(x), Operand.of(pass.weight(weight)), y, 0);
    }

    /**
     * Computes y of a layer split by rows, over all ranks.
     *
     * @param x {@code [all rows, in]}
     * @param y {@code [all rows, out]}; overwritten
     * @return this rank's rows of y
     */
    public Tensor forwardSummed(Pass pass, Tensor x, TokenRows rows, Tensor y) {
        if (!rows.axis().isSplit()) {
            forward(pass, x, y);
            return y;
        }
        forwardWithoutBias(pass, x, y);
        TokenRows.await(pass, rows.sum(pass, y, weight.name() + " output"));
        Tensor own = rows.part(y);
        pass.kernels().binary(Binary.ADD, own, pass.weight(bias), Broadcast.ROW, own);
        return own;
    }

    /** Computes dx of all rows; of a layer split by columns, a summand of it. */
    public void inputGradient(Pass pass, Tensor dy, Tensor dx) {
        pass.kernels().matmul(Operand.of(dy), Operand.transposed(pass.weight(weight)), dx, 0);
    }

    /** Computes the weight's gradient, of the whole micro-batch. */
    public void weightGradient(Pass pass, Tensor dy, Tensor x) {
        GradientSum gradient = pass.wholeGradient(weight);
        pass.kernels().matmul(Operand.transposed(x), Operand.of(dy), gradient.sum(), gradient.beta());
    }

    /** Computes the bias's gradient, of the whole micro-batch; all ranks have all rows of dy, and so the same sum. */
    public void biasGradient(Pass pass, Tensor dy) {
        GradientSum gradient = pass.wholeGradient(bias);
        pass.kernels().sumColumns(dy, gradient.sum(), gradient.beta());
    }
}
