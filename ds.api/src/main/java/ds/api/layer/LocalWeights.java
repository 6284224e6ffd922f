package ds.api.layer;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
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
public final class LocalWeights implements Weights, ParameterStore, AutoCloseable {
    private final Map<Parameter, Tensor> values = new HashMap<>();
    private final Map<Parameter, Tensor> gradients = new HashMap<>();
    private final List<Parameter> parameters;
    private final TensorBackend backend;

    private LocalWeights(TensorBackend backend, DType dtype, List<Parameter> parameters) {
        this.backend = backend;
        this.parameters = List.copyOf(parameters);
        parameters.forEach(parameter -> values.put(parameter, backend.allocate(dtype, parameter.shape(), "weights")));
    }

    /**
     * {@return the memory of a model that is not trained: zeros until {@link #write}, and no gradients}
     *
     * @param dtype of the values
     */
    public static LocalWeights withoutGradients(TensorBackend backend, DType dtype, List<Parameter> parameters) {
        return new LocalWeights(backend, dtype, parameters);
    }

    /**
     * Allocates and initialises.
     *
     * @param dtype of the values
     * @param seed of the initial values
     */
    public LocalWeights(TensorBackend backend, DType dtype, List<Parameter> parameters, long seed) {
        this(backend, dtype, parameters);
        for (Parameter parameter : parameters) {
            gradients.put(parameter, backend.allocate(DType.F32, parameter.shape(), "gradients"));
            initialise(parameter, value(parameter), seed);
        }
    }

    private void initialise(Parameter parameter, Tensor value, long seed) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(parameter.elements() * Float.BYTES, 64);
            long key = parameter.key(seed);
            for (long i = 0; i < parameter.elements(); i++) {
                float initial =
                        parameter.initializer().value(key, parameter.slice().element(i));
                host.setAtIndex(ValueLayout.JAVA_FLOAT, i, initial);
            }
            upload(host, value);
        }
    }

    private void upload(MemorySegment source, Tensor value) {
        try (Buffer buffer = backend.allocate(value.elements() * Float.BYTES, "temporary")) {
            Tensor staging = new Tensor(buffer, DType.F32, value.shape());
            backend.upload(source, staging, backend.computeStream());
            backend.kernels(backend.computeStream()).copy(staging, value);
            backend.computeStream().synchronize();
        }
    }

    @Override
    public void write(Parameter parameter, MemorySegment source) {
        try (Arena arena = Arena.ofConfined()) {
            upload(parameter.slice().select(source, arena), value(parameter));
        }
    }

    /**
     * Reads the values of a parameter.
     *
     * @throws IllegalArgumentException if other ranks hold some of them
     */
    @Override
    public void read(Parameter parameter, MemorySegment target) {
        if (!parameter.slice().isAll()) {
            throw new IllegalArgumentException("parameter " + parameter + " is a part of " + parameter.whole()
                    + ", and the rest is on other ranks; read it from what trains on all of them");
        }
        Tensor value = value(parameter);
        try (Buffer buffer = backend.allocate(value.elements() * Float.BYTES, "temporary")) {
            Tensor staging = new Tensor(buffer, DType.F32, value.shape());
            backend.kernels(backend.computeStream()).copy(value, staging);
            backend.download(staging, target, backend.computeStream());
            backend.computeStream().synchronize();
        }
    }

    @Override
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
            throw new IllegalArgumentException("parameter " + parameter
                    + " is not one of this model's, or has no gradient because the model is not trained");
        }
        return tensor;
    }

    /** Sets all gradients to zero. */
    public void clearGradients() {
        Kernels kernels = backend.kernels(backend.computeStream());
        gradients.values().forEach(gradient -> kernels.fill(gradient, 0));
    }

    @Override
    public void close() {
        values.values().forEach(tensor -> tensor.buffer().close());
        gradients.values().forEach(tensor -> tensor.buffer().close());
    }
}
