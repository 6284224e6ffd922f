package ds.zero.unit;

import ds.api.Tensor;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Sequential;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The units of a model, and what this rank updates of each; no memory. A layer that shares a parameter with an earlier one uses
 * the earlier one's unit: in the backward pass that one comes last, so its gradients are complete when its own layer is done.
 */
public final class Units {
    private final List<UnitLayout> layouts = new ArrayList<>();
    private final Map<Layer, Integer> unitOfLayer = new HashMap<>();
    private final Map<Layer, Set<Integer>> sharedLast = new HashMap<>();
    private final Map<Parameter, Integer> unitOfParameter = new HashMap<>();
    private final Set<Integer> hidden = new HashSet<>();
    private final Set<Parameter> shared = new HashSet<>();
    private final Set<Parameter> sharedAlone = new HashSet<>();
    private final int rank;
    private final boolean shardedUpdate;

    /**
     * Lays out a model.
     *
     * @param model each of its layers is a unit, unless all its parameters are earlier layers'
     * @param shardedUpdate whether each rank updates its shard of a unit, rather than all of it
     */
    public Units(Sequential model, int rank, int worldSize, boolean shardedUpdate) {
        this.rank = rank;
        this.shardedUpdate = shardedUpdate;
        Set<Parameter> placed = new HashSet<>();
        for (Layer layer : model.layers()) {
            Set<Parameter> own = new LinkedHashSet<>(layer.parameters());
            layer.parameters().stream().filter(placed::contains).forEach(shared::add);
            own.removeIf(placed::contains);
            if (!own.isEmpty()) {
                add(layer, new UnitLayout(layer.name(), List.copyOf(own), worldSize));
                placed.addAll(own);
            }
        }
        findHidden(model.layers());
        findSharers(model.layers());
        findSharedAlone(model.layers());
        if (layouts.isEmpty()) {
            throw new IllegalArgumentException("model " + model.name() + " has no parameters to train");
        }
    }

    private void findHidden(List<Layer> layers) {
        unitOfLayer.forEach((layer, unit) -> {
            if (!layer.equals(layers.getFirst()) && !layer.equals(layers.getLast())) {
                hidden.add(unit);
            }
        });
    }

    private void findSharers(List<Layer> layers) {
        Set<Integer> found = new HashSet<>();
        for (Layer layer : layers) {
            Set<Integer> shared = unitsOf(layer.parameters());
            shared.remove(unitOf(layer));
            shared.removeIf(unit -> !found.add(unit));
            sharedLast.put(layer, shared);
        }
    }

    private void findSharedAlone(List<Layer> layers) {
        for (Parameter parameter : shared) {
            int unit = unitOf(parameter);
            long uses = layers.stream()
                    .filter(layer -> unitOf(layer) != unit)
                    .flatMap(layer -> layer.parameters().stream())
                    .filter(used -> unitOf(used) == unit)
                    .count();
            if (uses == 1) {
                sharedAlone.add(parameter);
            }
        }
    }

    private void add(Layer layer, UnitLayout layout) {
        int unit = layouts.size();
        layouts.add(layout);
        unitOfLayer.put(layer, unit);
        layout.parameters().forEach(parameter -> unitOfParameter.put(parameter, unit));
    }

    /** {@return a view of each parameter in a flat buffer of its unit} */
    public static Map<Parameter, Tensor> views(UnitLayout layout, Tensor flat) {
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
    public int count() {
        return layouts.size();
    }

    public UnitLayout layout(int unit) {
        return layouts.get(unit);
    }

    /**
     * {@return the units in the order in which they are best updated and sent} As they are needed; but a first one that is larger than
     * the next two together comes after these, which travel while it is updated, or last.
     *
     * @param firstIsNeededLast whether the first unit's own layer can do without the whole unit
     */
    public List<Integer> inOrderOfTravel(boolean firstIsNeededLast) {
        List<Integer> order = new ArrayList<>();
        for (int unit = 0; unit < count(); unit++) {
            order.add(unit);
        }
        if (count() > 2
                && layout(0).elements() > layout(1).elements() + layout(2).elements()) {
            order.add(firstIsNeededLast ? count() - 1 : 2, order.removeFirst());
        }
        return order;
    }

    /** {@return whether a unit belongs to a layer between the model's first, which takes its input, and its last} */
    public boolean isHidden(int unit) {
        return hidden.contains(unit);
    }

    /** {@return this rank's shard of a unit} */
    public UnitLayout.Range shard(int unit) {
        return layouts.get(unit).shard(rank);
    }

    /** {@return the elements of a unit that this rank updates: its shard, or all of them} */
    public UnitLayout.Range owned(int unit) {
        return shardedUpdate ? shard(unit) : layouts.get(unit).whole();
    }

    /**
     * {@return the elements of this rank's shard that it counts in sums over all ranks of the job}
     *
     * @param replicatedToo whether it counts those that other ranks of the tensor axis have as well
     */
    public List<UnitLayout.Range> counted(int unit, boolean replicatedToo) {
        if (replicatedToo) {
            return List.of(shard(unit));
        }
        List<UnitLayout.Range> ranges = new ArrayList<>();
        for (Parameter parameter : layouts.get(unit).parameters()) {
            long first = layouts.get(unit).offset(parameter);
            UnitLayout.Range own = shard(unit).intersect(new UnitLayout.Range(first, first + parameter.elements()));
            if (!parameter.slice().isAll() && !own.isEmpty()) {
                ranges.add(own);
            }
        }
        return ranges;
    }

    /** {@return the unit whose gradients are complete when this layer's backward is done; −1 for none} */
    public int unitOf(Layer layer) {
        return unitOfLayer.getOrDefault(layer, -1);
    }

    /** {@return the units of earlier layers to whose gradients this layer adds, and after it in the backward pass none but their own} */
    public Set<Integer> sharedLast(Layer layer) {
        return sharedLast.getOrDefault(layer, Set.of());
    }

    /** {@return the unit in which a parameter lies} */
    public int unitOf(Parameter parameter) {
        Integer unit = unitOfParameter.get(parameter);
        if (unit == null) {
            throw new IllegalArgumentException("parameter " + parameter + " is not one of this model's");
        }
        return unit;
    }

    /** {@return whether several layers have a parameter, and contribute to its gradient} */
    public boolean isShared(Parameter parameter) {
        return shared.contains(parameter);
    }

    /** {@return whether one layer beside its own has a parameter, and of its unit no layer has another} */
    public boolean isSharedAlone(Parameter parameter) {
        return sharedAlone.contains(parameter);
    }

    /** {@return the units in which parameters lie, in their order} */
    public Set<Integer> unitsOf(Collection<Parameter> parameters) {
        Set<Integer> found = new TreeSet<>();
        parameters.forEach(parameter -> found.add(unitOf(parameter)));
        return found;
    }

    /** {@return elements of all parameters, without padding: the paper's Ψ} */
    public long elements() {
        return layouts.stream().mapToLong(UnitLayout::elements).sum();
    }

    public List<Parameter> parameters() {
        return layouts.stream().flatMap(layout -> layout.parameters().stream()).toList();
    }
}
