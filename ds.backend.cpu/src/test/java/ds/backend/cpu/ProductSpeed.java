package ds.backend.cpu;

import com.sun.management.OperatingSystemMXBean;
import ds.api.CoreKernels.Operand;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.ProviderOptions;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Map;

/**
 * Prints GFLOP/s of the matrix products of a GPT-2 of 124M parameters, 1024 tokens at a time. Arguments: threads, how many
 * milliseconds to measure each, and whether gradients of weights are added to F32 (true) or written in the type of the factors.
 * The first number is that of the best call, since other processes can only slow it down; the
 * second divides by the processor time of all threads, waiting ones included: it holds on a busy machine too.
 */
final class ProductSpeed {
    /** {@code c [m, n] = a [m, k] · b [k, n] + beta · c}; gradients of weights are F32 and added to. */
    private record Product(
            String name, long m, long n, long k, boolean transposeA, boolean transposeB, boolean gradient) {}

    private static final List<Product> PRODUCTS = List.of(
            new Product("x·Wqkv", 1024, 2304, 768, false, false, false),
            new Product("x·Wfc", 1024, 3072, 768, false, false, false),
            new Product("h·Wproj", 1024, 768, 3072, false, false, false),
            new Product("dh·Wfcᵀ", 1024, 768, 3072, false, true, false),
            new Product("xᵀ·dh", 768, 3072, 1024, true, false, true),
            new Product("hᵀ·dy", 3072, 768, 1024, true, false, true),
            new Product("logits", 256, 50257, 768, false, true, false),
            new Product("dl·W", 256, 768, 50257, false, false, false),
            new Product("dlᵀ·x", 50257, 768, 256, true, false, true));

    private static final OperatingSystemMXBean PROCESS =
            ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);

    private ProductSpeed() {}

    public static void main(String[] args) {
        long milliseconds = Long.parseLong(args[1]);
        boolean add = args.length < 3 || Boolean.parseBoolean(args[2]);
        Map<String, ?> options = Map.of("threads", Integer.parseInt(args[0]));
        try (TensorBackend backend = new CpuBackendProvider().open(0, new ProviderOptions("ds.options", options))) {
            for (DType dtype : List.of(DType.F32, DType.BF16)) {
                for (Product product : PRODUCTS) {
                    double[] gflops = measure(backend, product, dtype, add, milliseconds);
                    System.out.printf(
                            "%s threads, %-4s %-8s %6.1f GFLOP/s, %6.1f per processor second%n",
                            args[0], dtype, product.name(), gflops[0], gflops[1]);
                }
            }
            System.out.println(backend.memory().labels());
        }
    }

    private static double[] measure(TensorBackend backend, Product p, DType dtype, boolean add, long milliseconds) {
        Kernels kernels = backend.kernels(backend.computeStream());
        Shape dimsA = p.transposeA() ? Shape.of(p.k(), p.m()) : Shape.of(p.m(), p.k());
        Shape dimsB = p.transposeB() ? Shape.of(p.n(), p.k()) : Shape.of(p.k(), p.n());
        Tensor a = backend.allocate(dtype, dimsA, "a");
        Tensor b = backend.allocate(dtype, dimsB, "b");
        Tensor c = backend.allocate(p.gradient() && add ? DType.F32 : dtype, Shape.of(p.m(), p.n()), "c");
        kernels.fill(a, 0.5);
        kernels.fill(b, 0.5);
        kernels.fill(c, 0);
        Operand left = new Operand(a, p.transposeA());
        Operand right = new Operand(b, p.transposeB());
        int beta = p.gradient() && add ? 1 : 0;
        kernels.matmul(left, right, c, beta);
        kernels.matmul(left, right, c, beta);
        long best = Long.MAX_VALUE;
        long processorBefore = PROCESS.getProcessCpuTime();
        long begin = System.nanoTime();
        int calls = 0;
        while (calls < 3 || System.nanoTime() - begin < milliseconds * 1_000_000) {
            long start = System.nanoTime();
            kernels.matmul(left, right, c, beta);
            best = Math.min(best, System.nanoTime() - start);
            calls++;
        }
        double operations = 2.0 * p.m() * p.n() * p.k();
        double processor = PROCESS.getProcessCpuTime() - processorBefore;
        for (Tensor tensor : List.of(a, b, c)) {
            tensor.buffer().close();
        }
        return new double[] {operations / best, calls * operations / processor};
    }
}
