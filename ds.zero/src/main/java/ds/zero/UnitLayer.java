package ds.zero;

import ds.api.Tensor;
import ds.api.layer.GradientRows;
import ds.api.layer.Layer;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import ds.zero.gradient.GradientStage;
import ds.zero.timing.Timeline;
import ds.zero.unit.Units;
import ds.zero.unit.Visit;
import ds.zero.weight.WeightStage;
import java.util.List;
import java.util.Set;

/**
 * A layer around a layer of the model: has its weights there when it is called, and reports when the gradients of its unit are
 * complete, and those of units that it shares. The layer inside does not know what is sharded.
 */
final class UnitLayer implements Layer {
    private final Layer inner;
    private final int unit;
    private final Set<Integer> shared;
    private final WeightStage weights;
    private final GradientStage gradients;
    private final Timeline timeline;
    private final Visit forward;
    private final Visit backward;

    /** Wraps a layer. */
    UnitLayer(Layer inner, Units units, WeightStage weights, GradientStage gradients, Timeline timeline) {
        this.timeline = timeline;
        this.inner = inner;
        this.unit = units.unitOf(inner);
        this.shared = units.sharedLast(inner);
        this.weights = weights;
        this.gradients = gradients;
        this.forward = Visit.forward(inner);
        this.backward = Visit.backward(inner);
    }

    @Override
    public String name() {
        return inner.name();
    }

    @Override
    public List<Parameter> parameters() {
        return inner.parameters();
    }

    @Override
    public List<Parameter> readInBackward() {
        return inner.readInBackward();
    }

    @Override
    public Tensor forward(Pass pass, Tensor x, Saved saved) {
        if (unit >= 0 && pass.training()) {
            inner.gradientRows(pass.batch()).ifPresent(this::announce);
        }
        weights.enter(forward);
        long start = System.nanoTime();
        Tensor y = inner.forward(pass, x, saved);
        timeline.layer(inner.name(), start);
        weights.leave();
        return y;
    }

    private void announce(GradientRows rows) {
        weights.announce(unit, rows);
        gradients.announce(unit, rows);
    }

    @Override
    public Tensor backward(Pass pass, Tensor dy, Saved saved) {
        weights.enter(backward);
        long start = System.nanoTime();
        Tensor dx = inner.backward(pass, dy, saved);
        timeline.layer(inner.name(), start);
        weights.leave();
        if (unit >= 0) {
            gradients.unitDone(unit);
        }
        shared.forEach(gradients::sharersDone);
        return dx;
    }
}
