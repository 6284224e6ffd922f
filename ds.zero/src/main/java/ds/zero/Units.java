package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Sequential;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The units of a model, with the values of all parameters in one flat buffer each. A layer that shares a parameter with an
 * earlier one uses the earlier one's unit: in the backward pass that one comes last, so its gradients are complete when its
 * own layer is done.
 */
final class Units implements AutoCloseable {
    private final List<UnitLayout> layouts = new ArrayList<>();
    private final Map<Layer, Integer> unitOfLayer = new HashMap<>();
    private final Map<Parameter, Integer> unitOfParameter = new HashMap<>();
    private final List<Tensor> weights = new ArrayList<>();
    private final Map<Parameter, Tensor> values = new HashMap<>();

    Units(Sequential model, int worldSize, TensorBackend backend, DType dtype) {
        Set<Parameter> placed = new HashSet<>();
        for (Layer layer : model.layers()) {
            Set<Parameter> own = new LinkedHashSet<>(layer.parameters());
            own.removeIf(placed::contains);
            if (!own.isEmpty()) {
                add(layer, new UnitLayout(layer.name(), List.copyOf(own), worldSize));
                placed.addAll(own);
            }
        }
        if (layouts.isEmpty()) {
            throw new IllegalArgumentException("model " + model.name() + " has no parameters to train");
        }
        for (UnitLayout layout : layouts) {
            Tensor flat = backend.allocate(dtype, Shape.of(layout.paddedElements()), "weights");
            weights.add(flat);
            values.putAll(views(layout, flat));
        }
    }

    private void add(Layer layer, UnitLayout layout) {
        int unit = layouts.size();
        layouts.add(layout);
        unitOfLayer.put(layer, unit);
        layout.parameters().forEach(parameter -> unitOfParameter.put(parameter, unit));
    }

    /** {@return a view of each parameter in a flat buffer of its unit} */
    static Map<Parameter, Tensor> views(UnitLayout layout, Tensor flat) {
        Map<Parameter, Tensor> views = new HashMap<>();
        for (Parameter parameter : layout.parameters()) {
            Tensor view = new Tensor(
                    flat.buffer(),
                    flat.dtype(),
                    parameter.shape(),
                    flat.byteOffset() + layout.offset(parameter) * flat.dtype().byteSize());
            views.put(parameter, view);
        }
        return views;
    }

    /** {@return how many there are} */
    int count() {
        return layouts.size();
    }

    UnitLayout layout(int unit) {
        return layouts.get(unit);
    }

    /** {@return the unit whose gradients are complete when this layer's backward is done; −1 for none} */
    int unitOf(Layer layer) {
        return unitOfLayer.getOrDefault(layer, -1);
    }

    /** {@return the unit in which a parameter lies} */
    int unitOf(Parameter parameter) {
        Integer unit = unitOfParameter.get(parameter);
        if (unit == null) {
            throw new IllegalArgumentException("parameter " + parameter + " is not one of this model's");
        }
        return unit;
    }

    /** {@return all values of a unit, {@code [paddedElements]} in the compute type} */
    Tensor weights(int unit) {
        return weights.get(unit);
    }

    /** {@return the values of a parameter} */
    Tensor value(Parameter parameter) {
        return values.get(parameter);
    }

    /** {@return elements of all parameters, without padding: the paper's Ψ} */
    long elements() {
        return layouts.stream().mapToLong(UnitLayout::elements).sum();
    }

    List<Parameter> parameters() {
        return layouts.stream().flatMap(layout -> layout.parameters().stream()).toList();
    }

    @Override
    public void close() {
        weights.stream().map(Tensor::buffer).forEach(Buffer::close);
    }
}
