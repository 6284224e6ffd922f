package ds.zero.gradient;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Parameter;
import ds.zero.unit.InFlight;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Gradients of all units in full, as stages 0 and 1 keep them over the micro-batches of a step. Where they are kept in F32
 * layers add to them at once, otherwise through a workspace.
 */
final class FullGradients implements AutoCloseable {
    private final Kernels kernels;
    private final List<Tensor> flat = new ArrayList<>();
    private final Map<Parameter, Tensor> views = new HashMap<>();
    private final Optional<GradientWorkspace> workspace;
    private boolean first;

    FullGradients(Units units, TensorBackend backend, DType dtype, InFlight inFlight) {
        this.kernels = backend.kernels(backend.computeStream());
        this.workspace =
                dtype == DType.F32 ? Optional.empty() : Optional.of(new GradientWorkspace(units, backend, inFlight));
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout layout = units.layout(unit);
            Tensor gradients = backend.allocate(dtype, Shape.of(layout.paddedElements()), "gradients");
            flat.add(gradients);
            views.putAll(Units.views(layout, gradients));
        }
    }

    /** Begins a micro-batch; with the first one of a step sums start anew. */
    void begin(boolean first) {
        this.first = first;
        if (first && workspace.isEmpty()) {
            flat.forEach(gradients -> kernels.fill(gradients, 0));
        }
    }

    /** {@return where the backward pass adds: F32} */
    Tensor of(Parameter parameter) {
        return workspace.isPresent() ? workspace.get().gradient(parameter) : views.get(parameter);
    }

    /** Adds what a micro-batch has summed up for a unit to what is kept. */
    void collect(int unit) {
        if (workspace.isPresent()) {
            Lease sums = workspace.get().take(unit);
            kernels.axpby(1, sums.flat(), first ? 0 : 1, flat.get(unit));
            workspace.get().giveBack(sums);
        }
    }

    /** {@return what is kept of a unit: {@code [paddedElements]}} */
    Tensor flat(int unit) {
        return flat.get(unit);
    }

    @Override
    public void close() {
        workspace.ifPresent(GradientWorkspace::close);
        flat.stream().map(Tensor::buffer).forEach(Buffer::close);
    }
}
