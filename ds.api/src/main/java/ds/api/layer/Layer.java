package ds.api.layer;

import ds.api.Tensor;
import java.util.List;
import java.util.Optional;

/**
 * A differentiable function, both directions side by side. A layer has no state of its own: values and gradients of its
 * parameters come from the {@link Pass}, and what its backward pass needs it pushes to {@link Saved}. So one layer can be
 * wrapped by another that recomputes, shards or offloads, without knowing it.
 */
public interface Layer {
    /** {@return a name, unique among its siblings, for messages and timelines} */
    String name();

    /** {@return all parameters it uses, those of its children included, each once} */
    List<Parameter> parameters();

    /** {@return the parameters whose values {@link #backward} reads: the others need not be gathered for it} */
    default List<Parameter> readInBackward() {
        return parameters();
    }

    /**
     * {@return rows, if the layer shares a parameter with layers behind it, and {@link #backward} adds to some rows of its gradient alone}
     * What those layers have added to all other rows is complete when they are done, and need not wait for this one.
     *
     * @param batch of which as many rows follow on every rank
     */
    default Optional<GradientRows> gradientRows(Batch batch) {
        return Optional.empty();
    }

    /**
     * Computes the output.
     *
     * @param x output of the layer before; may be overwritten unless it was pushed to {@code saved}
     * @param saved keeps what {@link #backward} needs; in an evaluation pass it is dropped
     * @return from {@link Pass#keep}, or {@code x} itself. The last layer of a model returns its loss (F32, one element, the
     *     mean over the micro-batch), or its prediction for a batch without targets. A layer that knows gradients of its
     *     parameters already, such as a head with its loss, may add them here; all are complete when backward returns
     */
    Tensor forward(Pass pass, Tensor x, Saved saved);

    /**
     * Computes the gradient of the input, and adds to those of the parameters.
     *
     * @param dy gradient of the output; may be overwritten. The last layer gets one F32 element: {@link Pass#lossGradient}
     * @param saved what {@link #forward} pushed, to be popped last first
     * @return gradient of the input: from {@link Pass#keep}, or {@code dy} itself. The first layer, whose input has no gradient,
     *     returns {@code dy}
     */
    Tensor backward(Pass pass, Tensor dy, Saved saved);
}
