package ds.api.layer;

import ds.api.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Activation checkpointing (Chen et al., arXiv:1604.06174): consecutive layers of which the forward pass keeps the input alone.
 * The backward pass runs their forward pass again, with the same bits since random numbers have no state, and then goes back
 * through them. What they keep lives in memory that all segments of a model share.
 *
 * <p>Inside are only layers that add to no gradient in their forward pass: they run it twice.
 *
 * @param segment the layers
 * @param inputs where the input waits for the backward pass
 */
public record RecomputedLayer(Sequential segment, Inputs inputs) implements Layer {
    /** Where inputs of segments are kept. */
    public enum Inputs {
        /** On the device, where they are. */
        ON_DEVICE,
        /** In host memory, copied there while the segment computes; the device keeps none. */
        ON_HOST
    }

    /**
     * {@return a model in which every {@code layersPerSegment} layers are a segment} Its first layer, whose input has no
     * gradient, and its last one, which computes the loss and may add to gradients in doing so, stay as they are; the last
     * segment may have fewer layers.
     *
     * @param layersPerSegment at least 1
     */
    public static Sequential wrap(Sequential model, int layersPerSegment, Inputs inputs) {
        if (layersPerSegment < 1) {
            throw new IllegalArgumentException("model " + model.name() + ": segments of " + layersPerSegment
                    + " layers; each recomputed segment has at least 1");
        }
        List<Layer> layers = model.layers();
        int end = layers.size() - 1;
        List<Layer> wrapped = new ArrayList<>(layers.subList(0, Math.min(1, end)));
        for (int first = 1; first < end; first += layersPerSegment) {
            List<Layer> inside = layers.subList(first, Math.min(end, first + layersPerSegment));
            wrapped.add(new RecomputedLayer(new Sequential(inside.getFirst().name(), inside), inputs));
        }
        wrapped.add(layers.getLast());
        return new Sequential(model.name(), wrapped);
    }

    @Override
    public String name() {
        return segment.name();
    }

    @Override
    public List<Parameter> parameters() {
        return segment.parameters();
    }

    @Override
    public Tensor forward(Pass pass, Tensor x, Saved saved) {
        SegmentMemory memory = pass.segmentMemory();
        boolean keptHere = pass.training() && inputs == Inputs.ON_DEVICE;
        if (pass.training()) {
            saved.push(keptHere ? x : memory.keepOnHost(x));
        }
        Tensor y = segment.forward(pass, memory.enter(x), memory.saved());
        return keptHere ? memory.leave(y) : memory.leaveInto(x, y);
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        SegmentMemory memory = pass.segmentMemory();
        Tensor x = saved.pop();
        Tensor again = inputs == Inputs.ON_DEVICE ? memory.enter(x) : memory.enterFromHost(x);
        segment.forward(pass, again, memory.saved());
        return memory.leaveBackward(dy, segment.backward(pass, dy, memory.saved()));
    }
}
