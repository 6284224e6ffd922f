package ds.bench.breakdown;

import ds.api.Buffer;
import ds.api.CoreKernels.Operand;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.bench.measure.Statistics;
import ds.models.gpt.GptConfig;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** How fast a backend multiplies matrices: the products of a step by themselves, and square ones of a size that suits everybody. */
public final class MatrixRate {
    private static final long[] SQUARES = {1024, 2048};
    private static final long[] DEVICE_SQUARES = {1024, 2048, 4096, 8192};
    private static final int LEAST_RUNS = 7;
    private static final double LEAST_SECONDS = 0.25;
    private static final double MOST_SECONDS = 5;
    private static final double RUN_SECONDS = 2e-3; // of a device at least: beside launching and waiting
    private static final int MOST_REPEATS = 64;
    private static final String LABEL = "matrixRate";

    private final TensorBackend backend;
    private final Kernels kernels;

    private MatrixRate(TensorBackend backend) {
        this.backend = backend;
        this.kernels = backend.kernels(backend.computeStream());
    }

    /**
     * What came out.
     *
     * @param product measured
     * @param flopsPerSecond by the median of seven runs, or of more where these are short, or of fewer where they take seconds
     */
    record Measured(Product product, double flopsPerSecond) {}

    /** {@return the FLOP/s of the fastest of these products and of square ones of the same types} */
    public static double best(TensorBackend backend, List<Product> products) {
        return measure(backend, products).values().stream()
                .flatMap(List::stream)
                .mapToDouble(Measured::flopsPerSecond)
                .max()
                .orElseThrow(() -> new IllegalArgumentException("the best of 0 products; at least one is needed"));
    }

    /**
     * {@return the products of a block's forward pass, and those that carry a gradient back through it}
     *
     * @param rows B·T
     */
    public static List<Product> products(DType dtype, long rows, GptConfig shape) {
        long c = shape.channels();
        return List.of(
                new Product(rows, 3 * c, c, false, false, dtype, dtype, false),
                new Product(rows, 4 * c, c, false, false, dtype, dtype, false),
                new Product(rows, c, 4 * c, false, false, dtype, dtype, false),
                new Product(rows, c, 3 * c, false, true, dtype, dtype, false),
                new Product(rows, c, 4 * c, false, true, dtype, dtype, false));
    }

    /** {@return these products and the square ones of the same types that do not take too long, in this order} */
    static Map<DType, List<Measured>> measure(TensorBackend backend, List<Product> products) {
        Set<Product> all = new LinkedHashSet<>();
        for (Product product : products) {
            for (long n : backend.device().equals(Device.HOST) ? SQUARES : DEVICE_SQUARES) {
                all.add(Product.square(n, product.dtype()));
            }
        }
        all.addAll(products);
        MatrixRate rate = new MatrixRate(backend);
        Map<DType, List<Measured>> results = new EnumMap<>(DType.class);
        for (Product product : all) {
            List<Measured> measured = results.computeIfAbsent(product.dtype(), dtype -> new ArrayList<>());
            if (products.contains(product) || product.flops() < MOST_SECONDS * best(measured)) {
                measured.add(new Measured(product, rate.flopsPerSecond(product)));
            }
        }
        return results;
    }

    /** {@return the FLOP/s so far; no bound before the first} */
    private static double best(List<Measured> measured) {
        return measured.stream().mapToDouble(Measured::flopsPerSecond).max().orElse(Double.MAX_VALUE);
    }

    private double flopsPerSecond(Product product) {
        Tensor a = random(product.dtype(), sides(product.m(), product.k(), product.leftTransposed()), 1);
        Tensor b = random(product.dtype(), sides(product.k(), product.n(), product.rightTransposed()), 2);
        Tensor c = backend.allocate(product.result(), Shape.of(product.m(), product.n()), LABEL);
        try {
            Operand left = new Operand(a, product.leftTransposed());
            Operand right = new Operand(b, product.rightTransposed());
            float beta = product.add() ? 1 : 0;
            run(left, right, c, beta, 1); // what is prepared for a new shape
            int repeats = repeats(left, right, c, beta);
            List<Double> seconds = new ArrayList<>();
            double total = 0;
            while ((seconds.size() < LEAST_RUNS || total < LEAST_SECONDS) && total < MOST_SECONDS) {
                double taken = run(left, right, c, beta, repeats);
                seconds.add(taken / repeats);
                total += taken;
            }
            return product.flops()
                    / Statistics.median(
                            seconds.stream().mapToDouble(Double::doubleValue).toArray());
        } finally {
            List.of(a, b, c).stream().map(Tensor::buffer).forEach(Buffer::close);
        }
    }

    /** {@return how many products are enqueued before they are waited for: one on the host, which computes at once} */
    private int repeats(Operand left, Operand right, Tensor c, float beta) {
        return backend.device().equals(Device.HOST)
                ? 1
                : (int) Math.clamp(RUN_SECONDS / run(left, right, c, beta, 1), 1, MOST_REPEATS);
    }

    private double run(Operand left, Operand right, Tensor c, float beta, int repeats) {
        long start = System.nanoTime();
        for (int i = 0; i < repeats; i++) {
            kernels.matmul(left, right, c, beta);
        }
        kernels.stream().synchronize();
        return (System.nanoTime() - start) * 1e-9;
    }

    private static Shape sides(long rows, long columns, boolean transposed) {
        return transposed ? Shape.of(columns, rows) : Shape.of(rows, columns);
    }

    /** {@return numbers in [0, 1): a processor's clock may depend on what it multiplies} */
    private Tensor random(DType dtype, Shape shape, long seed) {
        Tensor numbers = backend.allocate(dtype, shape, LABEL);
        kernels.uniform(new CounterRandom(CounterRandom.key(seed), 0), numbers);
        return numbers;
    }
}
