package ds.models.gpt;

import ds.api.LayerNorm;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.layer.Initializer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;

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

    LayerNorm.Gradients gradients(Pass pass) {
        return new LayerNorm.Gradients(pass.gradient(weight), pass.gradient(bias));
    }
}
