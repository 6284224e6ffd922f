package ds.zero.unit;

import ds.api.layer.Layer;
import ds.api.layer.RecomputedLayer;
import java.util.ArrayList;
import java.util.List;

/**
 * One call of a layer in a micro-batch. In which order they come is known before the first one, so that whoever has to fetch
 * weights can do so ahead of their use.
 *
 * @param layer one of the model's, unwrapped
 * @param direction which of its two methods is called
 */
public record Visit(Layer layer, Direction direction) {
    /** Forward or backward. */
    public enum Direction {
        /** {@link Layer#forward}. */
        FORWARD,
        /** {@link Layer#backward}. */
        BACKWARD
    }

    public static Visit forward(Layer layer) {
        return new Visit(layer, Direction.FORWARD);
    }

    public static Visit backward(Layer layer) {
        return new Visit(layer, Direction.BACKWARD);
    }

    /** {@return the visits of an evaluation} */
    public static List<Visit> ofEvaluation(List<Layer> layers) {
        return layers.stream()
                .flatMap(layer -> inside(layer).stream())
                .map(Visit::forward)
                .toList();
    }

    /** {@return the visits of a micro-batch of training; a segment that is recomputed comes forward again before it goes back} */
    public static List<Visit> ofTraining(List<Layer> layers) {
        List<Visit> visits = new ArrayList<>(ofEvaluation(layers));
        for (Layer layer : layers.reversed()) {
            if (layer instanceof RecomputedLayer recomputed) {
                visits.addAll(ofTraining(recomputed.segment().layers()));
            } else {
                visits.add(backward(layer));
            }
        }
        return visits;
    }

    private static List<Layer> inside(Layer layer) {
        return layer instanceof RecomputedLayer recomputed
                ? recomputed.segment().layers()
                : List.of(layer);
    }
}
