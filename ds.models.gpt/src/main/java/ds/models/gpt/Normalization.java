package ds.models.gpt;

import ds.api.DType;
import ds.api.LayerNorm;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.models.gpt.parallel.TokenRows;

/** The two parameters of a layer normalisation. */
record Normalization(Parameter weight, Parameter bias, float epsilon) {
    static Normalization of(String name, GptConfig config) {
        return new Normalization(
                new Parameter(name + ".weight", Shape.of(config.channels()), new Initializer.Constant(1)),
                new Parameter(name + ".bias", Shape.of(config.channels()), new Initializer.Constant(0)),
                config.layerNormEpsilon());
    }

    /** {@return the kernel's operands, with the statistics that the forward pass writes and the backward pass reads} */
    LayerNorm operands(Pass pass, Tensor mean, Tensor rstd) {
        return new LayerNorm(pass.weight(weight), pass.weight(bias), mean, rstd, epsilon);
    }

    /**
     * Adds to the gradients of input and parameters.
     *
     * @param dy of this rank's rows
     * @param x what was normalised
     * @param norm with the statistics of the forward pass
     * @param dx added to
     */
    void backward(Pass pass, TokenRows rows, Tensor dy, Tensor x, LayerNorm norm, Tensor dx) {
        if (!rows.areDealt()) {
            LayerNorm.Gradients gradients = new LayerNorm.Gradients(pass.gradient(weight), pass.gradient(bias));
            pass.kernels().layerNormBackward(dy, x, norm, gradients, dx);
            return;
        }
        long mark = pass.mark();
        Tensor both = pass.scratch(DType.F32, 2, x.shape().columns()); // of this rank's rows
        pass.kernels().fill(both, 0);
        LayerNorm.Gradients gradients = new LayerNorm.Gradients(both.rows(0, 1), both.rows(1, 1));
        pass.kernels().layerNormBackward(dy, x, norm, gradients, dx);
        rows.sumGradients(pass, both, weight.name() + " gradients");
        pass.kernels().axpby(1, both.rows(0, 1), 1, pass.gradient(weight));
        pass.kernels().axpby(1, both.rows(1, 1), 1, pass.gradient(bias));
        pass.release(mark);
    }
}
