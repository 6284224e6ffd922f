package ds.bench;

import ds.api.Adam;
import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.ProviderOptions;
import ds.api.spi.Providers;
import ds.bench.measure.Statistics;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * AdamW on a shard in host memory, beside what the memory does when nothing else is done: as an update is made that is offloaded
 * to the host, tile by tile, F32 masters and moments in place, and BF16 weights out.
 */
public final class OptimizerBenchmark {
    /** Master, gradient and two moments are read, master and moments written, in F32; the weight is written in BF16. */
    private static final int BYTES_PER_ELEMENT = 7 * Float.BYTES + 2;

    private static final int WARMUP = 3;

    private final OptimizerSetup setup;
    private final TensorBackend backend;
    private final Kernels kernels;
    private final List<Buffer> buffers = new ArrayList<>();
    private final Tensor master;
    private final Tensor gradient;
    private final Tensor firstMoment;
    private final Tensor secondMoment;
    private final Tensor weights;

    private OptimizerBenchmark(OptimizerSetup setup, TensorBackend backend) {
        this.setup = setup;
        this.backend = backend;
        this.kernels = backend.kernels(backend.computeStream());
        this.master = allocate(DType.F32);
        this.gradient = allocate(DType.F32);
        this.firstMoment = allocate(DType.F32);
        this.secondMoment = allocate(DType.F32);
        this.weights = allocate(DType.BF16);
        kernels.fill(master, 0.02);
        kernels.fill(gradient, 1e-3);
    }

    private Tensor allocate(DType dtype) {
        Tensor tensor = backend.allocate(dtype, Shape.of(setup.elements()), "benchmark");
        buffers.add(tensor.buffer());
        return tensor;
    }

    /** {@return one line of JSON} */
    public static String run(OptimizerSetup setup) {
        try (TensorBackend backend =
                Providers.backends().get(setup.backend()).open(0, ProviderOptions.none("ds.backend"))) {
            if (!backend.device().equals(Device.HOST)) {
                throw new IllegalArgumentException("backend " + setup.backend() + " keeps its tensors on "
                        + backend.device() + "; what is measured is an update in host memory: name one there");
            }
            return new OptimizerBenchmark(setup, backend).measure();
        }
    }

    private String measure() {
        double[] seconds = new double[setup.repeats()];
        double[] copy = new double[setup.repeats()];
        double[] triad = new double[setup.repeats()];
        RawMemory memory = new RawMemory();
        for (int i = -WARMUP; i < setup.repeats(); i++) {
            double copied = memory.copy(gradient.host(), firstMoment.host());
            double computed = memory.triad();
            kernels.fill(firstMoment, 0);
            long start = System.nanoTime();
            update(i + WARMUP + 1);
            double updated = (System.nanoTime() - start) * 1e-9;
            if (i >= 0) {
                seconds[i] = updated;
                copy[i] = copied;
                triad[i] = computed;
            }
        }
        buffers.forEach(Buffer::close);
        return json(seconds, Statistics.median(copy), Statistics.median(triad), memory.threads());
    }

    private void update(int step) {
        Adam adam = new Adam(1e-4, 0.9, 0.999, 1e-8, 0.1, true, true, step, 1);
        for (long first = 0; first < setup.elements(); first += setup.tileElements()) {
            long n = Math.min(setup.tileElements(), setup.elements() - first);
            Tensor tile = master.slice(first, n);
            kernels.adam(
                    adam, tile, gradient.slice(first, n), firstMoment.slice(first, n), secondMoment.slice(first, n));
            kernels.copy(tile, weights.slice(first, n));
        }
        backend.computeStream().synchronize();
    }

    private String json(double[] seconds, double copy, double triad, int threads) {
        double median = Statistics.median(seconds);
        double rate = BYTES_PER_ELEMENT * setup.elements() / median;
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.put("optimizer", "AdamW");
        node.put("elements", setup.elements());
        node.put("tile_elements", setup.tileElements());
        node.put("threads", threads);
        node.put("seconds", median);
        node.put("seconds_min", Arrays.stream(seconds).min().orElseThrow());
        node.put("seconds_max", Arrays.stream(seconds).max().orElseThrow());
        node.put("bytes_per_element", BYTES_PER_ELEMENT);
        node.put("bytes_per_second", rate);
        node.put("copy_bytes_per_second", copy);
        node.put("triad_bytes_per_second", triad);
        node.put("fraction_of_copy", rate / copy);
        node.put("fraction_of_triad", rate / triad);
        return node.toString();
    }
}
