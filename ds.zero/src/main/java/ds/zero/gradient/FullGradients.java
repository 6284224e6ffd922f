package ds.zero.gradient;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.GradientSum;
import ds.api.layer.Parameter;
import ds.zero.unit.InFlight;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Gradients of all units in full, as stages 0 and 1 keep them over the micro-batches of a step. Where they are kept in F32
 * layers add to them at once, otherwise through a workspace; but what a layer makes whole in a step's first micro-batch is written
 * where it is kept.
 */
final class FullGradients implements AutoCloseable {
    private final Units units;
    private final List<Tensor> flat = new ArrayList<>();
    private final Map<Parameter, Tensor> views = new HashMap<>();
    private final List<UnitSums> sums = new ArrayList<>(); // without a workspace: over all micro-batches of a step
    private final Optional<GradientWorkspace> workspace;
    private boolean first;

    FullGradients(Units units, TensorBackend backend, DType dtype, InFlight inFlight) {
        this.units = units;
        this.workspace =
                dtype == DType.F32 ? Optional.empty() : Optional.of(new GradientWorkspace(units, backend, inFlight));
        for (int unit = 0; unit < units.count(); unit++) {
            UnitLayout layout = units.layout(unit);
            Tensor gradients = backend.allocate(dtype, Shape.of(layout.paddedElements()), "gradients");
            flat.add(gradients);
            views.putAll(Units.views(layout, gradients));
            sums.add(new UnitSums(backend.kernels(backend.computeStream()), layout));
        }
    }

    /** Begins a micro-batch; with the first one of a step sums start anew. */
    void begin(boolean first) {
        this.first = first;
        if (first) {
            sums.forEach(UnitSums::clear);
        }
    }

    /** {@return where the backward pass adds: F32} */
    Tensor of(Parameter parameter) {
        return workspace.isPresent()
                ? workspace.get().gradient(parameter)
                : sumsOf(parameter).addToAll(parameter, views.get(parameter));
    }

    /** {@return where the backward pass writes or adds: F32} */
    GradientSum sum(Parameter parameter) {
        return workspace.isPresent()
                ? workspace.get().sum(parameter)
                : sumsOf(parameter).add(parameter, views.get(parameter));
    }

    /** {@return where the backward pass writes or adds all of a micro-batch's contribution} */
    GradientSum whole(Parameter parameter) {
        return workspace.isPresent() && first && !units.isShared(parameter)
                ? workspace.get().whole(parameter, views.get(parameter))
                : sum(parameter);
    }

    private UnitSums sumsOf(Parameter parameter) {
        return sums.get(units.unitOf(parameter));
    }

    /** Has what is kept of a unit contain all of a micro-batch. */
    void collect(int unit) {
        if (workspace.isPresent()) {
            workspace.get().collect(unit, flat.get(unit), first ? 0 : 1);
        } else if (first) {
            sums.get(unit).complete(flat.get(unit));
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
