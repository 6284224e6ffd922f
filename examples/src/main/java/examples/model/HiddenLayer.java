package examples.model;

import ds.api.CoreKernels.Operand;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import java.util.List;

/** {@code y = gelu(x · w + b)}: x {@code [B, inputs]}, y {@code [B, outputs]}. */
final class HiddenLayer implements Layer {
    private final String name;
    private final Parameter weight; // [inputs, outputs]
    private final Parameter bias; // [outputs]

    HiddenLayer(String name, int inputs, int outputs) {
        double deviation = Math.sqrt(2.0 / inputs); // He et al., arXiv:1502.01852
        this.name = name;
        this.weight = new Parameter(name + ".weight", Shape.of(inputs, outputs), new Initializer.Normal(0, deviation));
        this.bias = new Parameter(name + ".bias", Shape.of(outputs), new Initializer.Constant(0));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(weight, bias);
    }

    @Override
    public Tensor forward(Pass pass, Tensor x, Saved saved) {
        Tensor u = pass.keep(x.shape().rows(), weight.shape().columns());
        Tensor y = pass.keep(x.shape().rows(), weight.shape().columns());
        pass.kernels().matmul(Operand.of(x), Operand.of(pass.weight(weight)), u, 0);
        pass.kernels().biasGelu(u, pass.weight(bias), y);
        saved.push(x);
        saved.push(u);
        return y;
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        Tensor u = saved.pop();
        Tensor x = saved.pop();
        Tensor du = dy; // in place
        Tensor dx = pass.keep(x.shape().rows(), weight.shape().rows());
        pass.kernels().biasGeluBackward(dy, u, pass.weight(bias), du, pass.gradient(bias));
        pass.kernels().matmul(Operand.transposed(x), Operand.of(du), pass.gradient(weight), 1);
        pass.kernels().matmul(Operand.of(du), Operand.transposed(pass.weight(weight)), dx, 0);
        return dx;
    }
}
