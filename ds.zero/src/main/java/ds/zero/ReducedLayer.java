package ds.zero;

import ds.api.Tensor;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import java.util.List;

/** A layer around a layer that reports when the gradients of its unit are complete. */
record ReducedLayer(Layer inner, int unit, GradientStage gradients) implements Layer {
    @Override
    public String name() {
        return inner.name();
    }

    @Override
    public List<Parameter> parameters() {
        return inner.parameters();
    }

    @Override
    public Tensor forward(Pass pass, Tensor x, Saved saved) {
        return inner.forward(pass, x, saved);
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        Tensor dx = inner.backward(pass, dy, saved);
        gradients.unitDone(unit);
        return dx;
    }
}
