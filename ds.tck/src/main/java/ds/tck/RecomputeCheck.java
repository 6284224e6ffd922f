package ds.tck;

import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import ds.api.layer.Layer;
import java.util.Arrays;
import java.util.Map;

/**
 * Checks what activation checkpointing relies on: a layer whose forward pass is run again, in the same pass and on the same
 * input, has the same gradients, bit for bit. It has not if it keeps state outside of {@link ds.api.layer.Saved}, overwrites
 * what it saved, or draws random numbers that depend on how often it was called.
 */
public final class RecomputeCheck {
    private final Layer layer;
    private final TensorBackend backend;

    private RecomputeCheck(Layer layer, TensorBackend backend) {
        this.layer = layer;
        this.backend = backend;
    }

    /**
     * {@return the check of a layer}
     *
     * @param backend borrowed
     */
    public static RecomputeCheck of(Layer layer, TensorBackend backend) {
        return new RecomputeCheck(layer, backend);
    }

    /** Checks a layer whose input is that of the batch; see {@link #verify(Batch, Tensor)}. */
    public void verify(Batch batch) {
        verify(batch, batch.inputs());
    }

    /**
     * Runs forward and backward, then forward twice and backward, and compares all gradients.
     *
     * @param batch what {@link ds.api.layer.Pass#batch} returns
     * @param x the layer's input, F32 or I32, on the backend; left as it is
     * @throws AssertionError naming the first parameter whose gradient differs
     */
    public void verify(Batch batch, Tensor x) {
        try (LayerRun run = new LayerRun(layer, backend, batch, x, 1)) {
            Map<String, double[]> once = run.gradients(1);
            Map<String, double[]> again = run.gradients(2);
            once.forEach((name, gradient) -> {
                int at = Arrays.mismatch(gradient, again.get(name));
                if (at >= 0) {
                    throw new AssertionError(
                            "layer " + layer.name() + ": the gradient of " + name + " differs at element "
                                    + at + " after the forward pass was recomputed: " + gradient[at] + " before, "
                                    + again.get(name)[at] + " after");
                }
            });
        }
    }
}
