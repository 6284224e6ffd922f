package ds.api.layer;

import ds.api.Tensor;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Layers one after the other: the form of a whole model. Each of its layers is a unit of sharding: its parameters travel
 * together.
 *
 * @param name of the model
 * @param layers in the order of the forward pass
 */
public record Sequential(String name, List<Layer> layers) implements Layer {
    /** Rejects an empty list, and two parameters of one name. */
    public Sequential {
        layers = List.copyOf(layers);
        if (layers.isEmpty()) {
            throw new IllegalArgumentException("model " + name + " has no layers");
        }
        Map<String, Parameter> byName = new HashMap<>();
        for (Layer layer : layers) {
            for (Parameter parameter : layer.parameters()) {
                Parameter other = byName.putIfAbsent(parameter.name(), parameter);
                if (other != null && other != parameter) {
                    throw new IllegalArgumentException(
                            "model " + name + " has two parameters named " + parameter.name() + ", the second in layer "
                                    + layer.name() + "; a tie is the same Parameter object in both layers");
                }
            }
        }
    }

    @Override
    public List<Parameter> parameters() {
        Set<Parameter> all = new LinkedHashSet<>();
        layers.forEach(layer -> all.addAll(layer.parameters()));
        return List.copyOf(all);
    }

    /** {@return the same model with each layer replaced, such as by one around it} */
    public Sequential map(UnaryOperator<Layer> wrap) {
        return new Sequential(name, layers.stream().map(wrap).toList());
    }

    @Override
    public Tensor forward(Pass pass, Tensor x, Saved saved) {
        Tensor y = x;
        for (Layer layer : layers) {
            y = layer.forward(pass, y, saved);
        }
        return y;
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        Tensor dx = dy;
        for (int i = layers.size() - 1; i >= 0; i--) {
            dx = layers.get(i).backward(pass, dx, saved);
        }
        return dx;
    }
}
