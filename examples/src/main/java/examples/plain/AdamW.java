package examples.plain;

import ds.api.Adam;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.LocalWeights;
import ds.api.layer.Parameter;
import java.util.ArrayList;
import java.util.List;

/** AdamW (Loshchilov &amp; Hutter, arXiv:1711.05101) on whole parameters; owns their two moments. */
final class AdamW implements AutoCloseable {
    private static final double LEARNING_RATE = 3e-3;
    private static final double WEIGHT_DECAY = 0.1;

    private final Kernels kernels;
    private final LocalWeights weights;
    private final List<State> states = new ArrayList<>();

    private record State(Parameter parameter, Tensor firstMoment, Tensor secondMoment) {}

    AdamW(TensorBackend backend, LocalWeights weights) {
        this.kernels = backend.kernels(backend.computeStream());
        this.weights = weights;
        for (Parameter parameter : weights.parameters()) {
            states.add(new State(
                    parameter,
                    backend.allocate(DType.F32, parameter.shape(), "optimizerStates"),
                    backend.allocate(DType.F32, parameter.shape(), "optimizerStates")));
        }
    }

    /** Updates the weights from their gradients; {@code number} counts from 1. */
    void step(long number) {
        for (State state : states) {
            Parameter parameter = state.parameter();
            double decay = parameter.decays() ? WEIGHT_DECAY : 0;
            Adam adam = new Adam(LEARNING_RATE, 0.9, 0.999, 1e-8, decay, true, true, number, 1);
            kernels.adam(
                    adam,
                    weights.value(parameter),
                    weights.gradient(parameter),
                    state.firstMoment(),
                    state.secondMoment());
        }
    }

    @Override
    public void close() {
        for (State state : states) {
            state.firstMoment().buffer().close();
            state.secondMoment().buffer().close();
        }
    }
}
