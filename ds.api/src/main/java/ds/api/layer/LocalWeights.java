package ds.api.layer;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * All values and gradients of a model on one device, unsharded: for a plain training loop, for tests and for inference.
 * Owns its memory.
 */
public final class LocalWeights implements Weights, AutoCloseable {
    private final Map<Parameter, Tensor> values = new HashMap<>();
    private final Map<Parameter, Tensor> gradients = new HashMap<>();
    private final List<Parameter> parameters;
    private final TensorBackend backend;

    /**
     * Allocates and initialises.
     *
     * @param dtype of the values
     * @param seed of the initial values
     */
    public LocalWeights(TensorBackend backend, DType dtype, List<Parameter> parameters, long seed) {
        this.backend = backend;
        this.parameters = List.copyOf(parameters);
        for (Parameter parameter : parameters) {
            Tensor value = backend.allocate(dtype, parameter.shape(), "weights");
            values.put(parameter, value);
            gradients.put(parameter, backend.allocate(DType.F32, parameter.shape(), "gradients"));
            initialise(parameter, value, seed);
        }
    }

    private void initialise(Parameter parameter, Tensor value, long seed) {
        try (Arena arena = Arena.ofConfined();
                Buffer staging = backend.allocate(parameter.elements() * Float.BYTES, "temporary")) {
            Tensor initial = new Tensor(staging, DType.F32, Shape.of(parameter.elements()));
            MemorySegment host = arena.allocate(staging.byteSize(), 64);
            long key = parameter.key(seed);
            for (long i = 0; i < parameter.elements(); i++) {
                host.setAtIndex(
                        ValueLayout.JAVA_FLOAT, i, parameter.initializer().value(key, i));
            }
            backend.upload(host, initial, backend.computeStream());
            backend.kernels(backend.computeStream()).copy(initial, value);
            backend.computeStream().synchronize();
        }
    }

    /** {@return the parameters, in the order given} */
    public List<Parameter> parameters() {
        return parameters;
    }

    @Override
    public Tensor value(Parameter parameter) {
        return known(values, parameter);
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        return known(gradients, parameter);
    }

    private static Tensor known(Map<Parameter, Tensor> tensors, Parameter parameter) {
        Tensor tensor = tensors.get(parameter);
        if (tensor == null) {
            throw new IllegalArgumentException("parameter " + parameter + " is not one of this model's");
        }
        return tensor;
    }

    /** Sets all gradients to zero. */
    public void clearGradients() {
        Kernels kernels = backend.kernels(backend.computeStream());
        parameters.forEach(parameter -> kernels.fill(gradients.get(parameter), 0));
    }

    @Override
    public void close() {
        values.values().forEach(tensor -> tensor.buffer().close());
        gradients.values().forEach(tensor -> tensor.buffer().close());
    }
}
