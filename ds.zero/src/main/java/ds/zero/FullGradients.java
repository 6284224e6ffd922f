package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Parameter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Gradients of all units in full, as stages 0 and 1 keep them: 4Ψ bytes. */
final class FullGradients implements AutoCloseable {
    private final Kernels kernels;
    private final List<Tensor> flat = new ArrayList<>();
    private final Map<Parameter, Tensor> views = new HashMap<>();

    FullGradients(Units units, TensorBackend backend) {
        this.kernels = backend.kernels(backend.computeStream());
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout layout = units.layout(unit);
            Tensor gradients = backend.allocate(DType.F32, Shape.of(layout.paddedElements()), "gradients");
            flat.add(gradients);
            views.putAll(Units.views(layout, gradients));
        }
    }

    void clear() {
        flat.forEach(gradients -> kernels.fill(gradients, 0));
    }

    Tensor flat(int unit) {
        return flat.get(unit);
    }

    Tensor of(Parameter parameter) {
        return views.get(parameter);
    }

    @Override
    public void close() {
        flat.stream().map(Tensor::buffer).forEach(Buffer::close);
    }
}
