package ds.models.gpt;

import ds.api.CoreKernels.Operand;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;

/** The two parameters of {@code y = x · weight + bias}, weight {@code [in, out]} as in GPT-2's files, and what is done with them. */
record Linear(Parameter weight, Parameter bias) {
    static Linear of(String name, long in, long out, double standardDeviation) {
        return new Linear(
                new Parameter(name + ".weight", Shape.of(in, out), new Initializer.Normal(0, standardDeviation)),
                new Parameter(name + ".bias", Shape.of(out), new Initializer.Constant(0)));
    }

    void forward(Pass pass, Tensor x, Tensor y) {
        pass.kernels().linear(x, pass.weight(weight), pass.weight(bias), y);
    }

    /** The product alone, for a kernel that adds the bias itself. */
    void forwardWithoutBias(Pass pass, Tensor x, Tensor y) {
        pass.kernels().matmul(Operand.of(x), Operand.of(pass.weight(weight)), y, 0);
    }

    /** Adds to both gradients and computes dx. */
    void backward(Pass pass, Tensor dy, Tensor x, Tensor dx) {
        pass.kernels().sumColumns(dy, pass.gradient(bias), 1);
        backwardWithoutBias(pass, dy, x, dx);
    }

    /** Adds to the weight's gradient and computes dx. */
    void backwardWithoutBias(Pass pass, Tensor dy, Tensor x, Tensor dx) {
        pass.kernels().matmul(Operand.transposed(x), Operand.of(dy), pass.gradient(weight), 1);
        pass.kernels().matmul(Operand.of(dy), Operand.transposed(pass.weight(weight)), dx, 0);
    }
}
