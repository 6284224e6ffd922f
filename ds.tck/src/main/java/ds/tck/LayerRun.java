package ds.tck;

import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import ds.api.layer.Initializer;
import ds.api.layer.Layer;
import ds.api.layer.LocalWeights;
import ds.api.layer.Parameter;
import ds.api.layer.Pass;
import ds.api.layer.Saved;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A layer with weights of its own, and the function {@code loss = sum of dy · layer(x)} with a fixed random dy, or {@code loss =
 * layer(x)} if that is one element. Every run sees the same x, weights and dropout. Owns its memory, but for the backend and x.
 */
final class LayerRun implements AutoCloseable {
    /** The name under which the input stands beside the parameters. */
    static final String INPUT = "input";

    private final Layer layer;
    private final TensorBackend backend;
    private final Batch batch;
    private final Tensor x;
    private final long seed;
    private final LocalWeights weights;
    private final Pass pass;
    private final Saved saved = new Saved();

    /** A value of the loss, and the sum of the magnitudes of its terms. */
    record Loss(double value, double magnitude) {}

    LayerRun(Layer layer, TensorBackend backend, Batch batch, Tensor x, long seed) {
        this.layer = layer;
        this.backend = backend;
        this.batch = batch;
        this.seed = seed;
        this.x = backend.allocate(x.dtype(), x.shape(), "input");
        backend.kernels(backend.computeStream()).copy(x, this.x);
        this.weights = new LocalWeights(backend, DType.F32, layer.parameters(), seed);
        this.pass = new Pass(backend, DType.F32, weights);
        layer.parameters().forEach(this::leaveSpecialValues);
    }

    /** Zero biases and unit weights hide errors: everything is moved a little. */
    private void leaveSpecialValues(Parameter parameter) {
        double[] values = read(weights.value(parameter));
        double[] noise = normal(parameter.key(~seed), values.length);
        Arrays.setAll(values, i -> values[i] + 0.1 * noise[i]);
        write(values, weights.value(parameter));
    }

    /** {@return what can be varied, by name: the parameters, and the input if it is not integers} */
    Map<String, Tensor> variables() {
        Map<String, Tensor> variables = new LinkedHashMap<>();
        if (x.dtype() != DType.I32) {
            variables.put(INPUT, x);
        }
        layer.parameters().forEach(parameter -> variables.put(parameter.name(), weights.value(parameter)));
        return variables;
    }

    Loss loss() {
        double[] y = read(forward());
        double[] dy = dy(y.length);
        double value = 0;
        double magnitude = 0;
        for (int i = 0; i < y.length; i++) {
            value += dy[i] * y[i];
            magnitude += Math.abs(dy[i] * y[i]);
        }
        return new Loss(value, magnitude);
    }

    private Tensor forward() {
        pass.beginTraining(batch, seed, 1, 1);
        return forwardAgain();
    }

    private Tensor forwardAgain() {
        saved.clear();
        Tensor copy = pass.keep(x.dtype(), dims(x));
        pass.kernels().copy(x, copy); // the layer may overwrite it
        return layer.forward(pass, copy, saved);
    }

    /**
     * {@return the gradients of {@link #variables}, by the backward pass}
     *
     * @param forwards how often the forward pass runs before
     */
    Map<String, double[]> gradients(int forwards) {
        weights.clearGradients();
        Tensor y = forward();
        for (int i = 1; i < forwards; i++) {
            weights.clearGradients(); // the forward pass may have added to them
            y = forwardAgain();
        }
        Tensor dy = pass.lossGradient();
        if (y.elements() > 1) {
            dy = pass.keep(DType.F32, dims(y));
            write(dy(Math.toIntExact(y.elements())), dy);
        }
        Tensor dx = layer.backward(pass, dy, saved);
        if (saved.size() != 0) {
            throw new AssertionError("layer " + layer.name() + ": backward left " + saved.size()
                    + " tensors that forward had pushed; it pops as many as were pushed");
        }
        Map<String, double[]> gradients = new LinkedHashMap<>();
        if (x.dtype() != DType.I32) {
            gradients.put(INPUT, read(dx));
        }
        layer.parameters().forEach(parameter -> gradients.put(parameter.name(), read(weights.gradient(parameter))));
        return gradients;
    }

    private double[] dy(int elements) {
        return elements == 1 ? new double[] {1} : normal(CounterRandom.key(seed, 1), elements);
    }

    static double[] normal(long key, int count) {
        double[] values = new double[count];
        Arrays.setAll(values, i -> new Initializer.Normal(0, 1).value(key, i));
        return values;
    }

    private static long[] dims(Tensor tensor) {
        long[] dims = new long[tensor.shape().dimCount()];
        Arrays.setAll(dims, tensor.shape()::dim);
        return dims;
    }

    double[] read(Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(tensor.byteSize(), 64);
            backend.download(tensor, host, backend.computeStream());
            backend.computeStream().synchronize();
            Elements elements = new Elements(host, tensor.dtype(), tensor.elements());
            double[] values = new double[Math.toIntExact(tensor.elements())];
            Arrays.setAll(values, elements::get);
            return values;
        }
    }

    /** Writes F32 values, rounded. */
    void write(double[] values, Tensor target) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(target.byteSize(), 64);
            for (int i = 0; i < values.length; i++) {
                host.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) values[i]);
            }
            backend.upload(host, target, backend.computeStream());
            backend.computeStream().synchronize();
        }
    }

    @Override
    public void close() {
        pass.close();
        weights.close();
        x.buffer().close();
    }
}
