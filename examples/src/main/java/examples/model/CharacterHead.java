package examples.model;

import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Reduction;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import java.util.List;

/**
 * {@code logits = x · w + b}, {@code [B, V]}, and their mean cross-entropy with the characters that do follow, in nats; for a
 * batch without targets the logits.
 */
final class CharacterHead implements Layer {
    private final Parameter weight; // [inputs, V]
    private final Parameter bias; // [V]

    CharacterHead(int inputs, int vocabulary) {
        this.weight = new Parameter("head.weight", Shape.of(inputs, vocabulary), new Initializer.Normal(0, 0.02));
        this.bias = new Parameter("head.bias", Shape.of(vocabulary), new Initializer.Constant(0));
    }

    @Override
    public String name() {
        return "head";
    }

    @Override
    public List<Parameter> parameters() {
        return List.of(weight, bias);
    }

    @Override
    public Tensor forward(Pass pass, Tensor x, Saved saved) {
        Tensor logits = pass.keep(x.shape().rows(), weight.shape().columns());
        pass.kernels().linear(x, pass.weight(weight), pass.weight(bias), logits);
        return pass.batch()
                .targets()
                .map(targets -> loss(pass, x, logits, targets, saved))
                .orElse(logits);
    }

    private static Tensor loss(Pass pass, Tensor x, Tensor logits, Tensor targets, Saved saved) {
        long b = x.shape().rows();
        Tensor losses = pass.keep(DType.F32, 1, b);
        Tensor loss = pass.keep(DType.F32, 1);
        pass.kernels().crossEntropy(logits, targets, logits.shape().columns(), pass.lossScale() / b, losses);
        pass.kernels().reduceRows(Reduction.SUM, losses, loss);
        pass.kernels().axpby(1.0 / b, loss, 0, loss);
        saved.push(x);
        saved.push(logits); // now their gradient
        return loss;
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        Tensor dLogits = saved.pop();
        Tensor x = saved.pop();
        Tensor dx = pass.keep(x.shape().rows(), x.shape().columns());
        pass.kernels().sumColumns(dLogits, pass.gradient(bias), 1);
        pass.kernels().matmul(Operand.transposed(x), Operand.of(dLogits), pass.gradient(weight), 1);
        pass.kernels().matmul(Operand.of(dLogits), Operand.transposed(pass.weight(weight)), dx, 0);
        return dx;
    }
}
