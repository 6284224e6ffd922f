package ds.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Bf16;
import ds.api.CoreKernels.Operand;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.spi.ProviderOptions;
import ds.backend.cuda.product.Products.Ending;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Products that differ in what they read and overwrite. */
enum ProductCase {
    OVERWRITING,
    TRANSPOSED,
    ADDING,
    BIAS,
    GELU,
    GELU_GRADIENT,
    GELU_GRADIENT_OVER_INNER,
    OVER_A,
    OVER_B,
    OVER_PART_OF_B,
    OVER_BIAS,
    INNER_OVER_A;

    private static final long N = 16;

    /** Whether operands overlap. */
    boolean inPlace() {
        return name().contains("OVER_");
    }

    boolean run(Run run) {
        DType type = name().contains("GELU") || this == INNER_OVER_A ? DType.BF16 : DType.F32;
        Tensor a = run.integers(type, N, N);
        Tensor b = run.integers(type, N, N);
        Tensor c = run.integers(type, N, N);
        Tensor bias = run.integers(type, N);
        Tensor inner = run.integers(type, N, N);
        Tensor doubling = run.doubling(type);
        Tensor two = run.integers(type, 2 * N, N);
        return switch (this) {
            case OVERWRITING -> run.product(a, b, c, Ending.NONE, false);
            case TRANSPOSED ->
                run.kernels().product(Operand.transposed(a), Operand.transposed(b), c, Ending.NONE, false);
            case ADDING -> run.product(a, b, c, Ending.NONE, true);
            case BIAS -> run.product(a, b, c, Ending.bias(bias), false);
            case GELU -> run.product(a, b, c, Ending.gelu(bias, inner), false);
            case GELU_GRADIENT -> run.product(a, b, c, Ending.geluGradient(inner), false);
            case GELU_GRADIENT_OVER_INNER -> run.product(a, doubling, inner, Ending.geluGradient(inner), false);
            case OVER_A -> run.product(a, doubling, a, Ending.NONE, false);
            case OVER_B -> run.product(doubling, b, b, Ending.NONE, false);
            case OVER_PART_OF_B -> run.product(doubling, two.rows(N / 2, N), two.rows(0, N), Ending.NONE, false);
            case OVER_BIAS -> run.product(a, b, c, Ending.bias(c.slice(0, N)), false);
            case INNER_OVER_A -> run.product(a, doubling, c, Ending.gelu(bias, a), false);
        };
    }

    static void assertClose(float[] expected, float[] actual, double relative, String what) {
        assertEquals(expected.length, actual.length, what);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual[i], relative * Math.abs(expected[i]), what + " element " + i);
        }
    }

    /** A backend, and operands on it. */
    static final class Run implements AutoCloseable {
        private final CudaBackend backend;
        private final Random random = new Random(1);
        private final List<Tensor> operands = new ArrayList<>();

        Run(Path folder, int candidates, int rank) {
            this(folder, candidates, rank, 1L << 30);
        }

        Run(Path folder, int candidates, int rank, long limitBytes) {
            Map<String, Object> options = Map.of(
                    "product_candidates", candidates,
                    "kernel_cache", folder.toString(),
                    "memory_limit_bytes", limitBytes);
            backend = (CudaBackend) new CudaBackendProvider().open(rank, new ProviderOptions("ds.options", options));
        }

        CudaKernels kernels() {
            return (CudaKernels) backend.kernels(backend.computeStream());
        }

        boolean product(Tensor a, Tensor b, Tensor c, Ending ending, boolean add) {
            return kernels().product(Operand.of(a), Operand.of(b), c, ending, add);
        }

        Tensor integers(DType type, long... dims) {
            float[] values = new float[(int) Shape.of(dims).elements()];
            for (int i = 0; i < values.length; i++) {
                values[i] = random.nextInt(5) - 2;
            }
            return upload(type, values, dims);
        }

        /** A permutation, times two: sums of one term, exact however often it is applied. */
        Tensor doubling(DType type) {
            float[] values = new float[(int) (N * N)];
            for (int i = 0; i < N; i++) {
                values[(int) (i * N + (3 * i + 1) % N)] = 2;
            }
            return upload(type, values, N, N);
        }

        private Tensor upload(DType type, float[] values, long... dims) {
            Tensor tensor = backend.allocate(type, Shape.of(dims), "operands");
            operands.add(tensor);
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment host = arena.allocate(tensor.byteSize(), 64);
                for (int i = 0; i < values.length; i++) {
                    if (type == DType.BF16) {
                        host.setAtIndex(ValueLayout.JAVA_SHORT, i, Bf16.nearest(values[i]));
                    } else {
                        host.setAtIndex(ValueLayout.JAVA_FLOAT, i, values[i]);
                    }
                }
                backend.upload(host, tensor, backend.computeStream());
                backend.computeStream().synchronize();
            }
            return tensor;
        }

        private float[] download(Tensor tensor) {
            float[] values = new float[(int) tensor.elements()];
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment host = arena.allocate(tensor.byteSize(), 64);
                backend.download(tensor, host, backend.computeStream());
                backend.computeStream().synchronize();
                for (int i = 0; i < values.length; i++) {
                    values[i] = tensor.dtype() == DType.BF16
                            ? Bf16.value(host.getAtIndex(ValueLayout.JAVA_SHORT, i))
                            : host.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                }
            }
            return values;
        }

        /** {@return all operands after the product} */
        List<float[]> result(ProductCase product) {
            assertTrue(product.run(this), "the library has it");
            return operands.stream().map(this::download).toList();
        }

        /** {@return the bits of a product of normal numbers} */
        List<Integer> bits(long depth) {
            Random normal = new Random(2);
            float[] values = new float[(int) (8 * depth)];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) normal.nextGaussian();
            }
            Tensor a = upload(DType.F32, values, 8, depth);
            Tensor c = integers(DType.F32, 8, 8);
            assertTrue(product(a, a.reshape(depth, 8), c, Ending.NONE, false), "the library has it");
            List<Integer> bits = new ArrayList<>();
            for (float value : download(c)) {
                bits.add(Float.floatToRawIntBits(value));
            }
            return bits;
        }

        /** Adds a product to ones, and checks it. */
        void sum(long m, long k, long n) {
            float[] ones = new float[(int) Math.max(m * n, Math.max(m * k, k * n))];
            Arrays.fill(ones, 1);
            Tensor a = upload(DType.F32, Arrays.copyOf(ones, (int) (m * k)), m, k);
            Tensor b = upload(DType.F32, Arrays.copyOf(ones, (int) (k * n)), k, n);
            Tensor c = upload(DType.F32, Arrays.copyOf(ones, (int) (m * n)), m, n);
            assertTrue(product(a, b, c, Ending.NONE, true), "the library has it");
            float[] expected = new float[(int) (m * n)];
            Arrays.fill(expected, (float) k + 1);
            assertClose(expected, download(c), 0, "sum");
        }

        @Override
        public void close() {
            backend.close();
        }
    }
}
