package ds.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.CoreKernels.Operand;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.ProviderOptions;
import ds.tck.ReferenceKernels;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Products whose dims cross the borders of tiles and blocks, against the plain loop in double. */
class MatrixProductsTest {
    private static final DType[][] TYPES = {
        {DType.F32, DType.F32},
        {DType.F32, DType.BF16},
        {DType.BF16, DType.F32},
        {DType.BF16, DType.BF16},
        {DType.F16, DType.F16}
    };

    @ParameterizedTest
    @CsvSource({"33, 65, 17", "257, 520, 31", "40, 33, 4100", "300, 33, 4101", "5, 3, 2"})
    void agreeWithThePlainLoop(long m, long n, long k) {
        try (var backend = new CpuBackendProvider().open(0, new ProviderOptions("test", Map.of("threads", 2)))) {
            for (DType[] types : TYPES) {
                for (int orientation = 0; orientation < 4; orientation++) {
                    compare(backend, types, new long[] {m, n, k}, (orientation & 1) != 0, (orientation & 2) != 0);
                }
            }
            assertTrue(backend.memory().liveBytes() < 200 << 20);
        }
    }

    @ParameterizedTest
    @CsvSource({"F32, 1100, 5, 4090", "BF16, 1100, 5, 4090", "BF16, 260, 1030, 4090"})
    void severalBlocksAgreeToo(DType dtype, long m, long n, long k) {
        try (var backend = new CpuBackendProvider().open(0, new ProviderOptions("test", Map.of("threads", 2)))) {
            compare(backend, new DType[] {dtype, dtype}, new long[] {m, n, k}, true, false);
        }
    }

    /** A product of {@code mnk}, of the first of these types to the second; added to what is there if the left factor is transposed. */
    private static void compare(TensorBackend backend, DType[] types, long[] mnk, boolean left, boolean right) {
        long m = mnk[0];
        long n = mnk[1];
        long k = mnk[2];
        Kernels kernels = backend.kernels(backend.computeStream());
        Kernels reference = new ReferenceKernels(backend, backend.computeStream());
        Tensor a = random(backend.allocate(types[0], Shape.of(m, k), "test"), kernels, 1);
        Tensor b = random(backend.allocate(types[0], Shape.of(k, n), "test"), kernels, 2);
        Tensor c = random(backend.allocate(types[1], Shape.of(m, n), "test"), kernels, 3);
        Tensor expected = backend.allocate(DType.F32, Shape.of(m, n), "test");
        kernels.copy(c, expected);
        var p = new Operand(left ? a.reshape(k, m) : a, left);
        var q = new Operand(right ? b.reshape(n, k) : b, right);
        float beta = left ? 1 : 0;
        reference.matmul(p, q, expected, beta);
        kernels.matmul(p, q, c, beta);
        Tensor actual = backend.allocate(DType.F32, Shape.of(m, n), "test");
        kernels.copy(c, actual);
        double unit = types[1] == DType.F32 ? 0x1p-23 : types[1] == DType.F16 ? 0x1p-11 : 0x1p-8;
        for (long i = 0; i < m * n; i++) {
            double e = expected.host().getAtIndex(ValueLayout.JAVA_FLOAT, i);
            double error = Math.abs(e - actual.host().getAtIndex(ValueLayout.JAVA_FLOAT, i));
            double bound = unit * Math.abs(e) + 0x1p-22 * Math.sqrt(k) * (k + 1) / 4;
            if (error > bound) {
                assertEquals(e, e - error, bound, types[0] + " to " + types[1] + ", element " + i);
            }
        }
        for (Tensor t : new Tensor[] {a, b, c, expected, actual}) {
            t.buffer().close();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "F32, 40, 600, 33",
        "F32, 300, 600, 33",
        "BF16, 300, 600, 33",
        "F16, 40, 600, 33",
        "F32, 40, 5000, 1100",
        "F32, 300, 5000, 1100"
    })
    void everyColumnHasItsOwnBias(DType dtype, long m, long n, long k) {
        try (var backend = new CpuBackendProvider().open(0, new ProviderOptions("test", Map.of("threads", 2)))) {
            Kernels kernels = backend.kernels(backend.computeStream());
            Tensor x = backend.allocate(dtype, Shape.of(m, k), "test");
            Tensor w = backend.allocate(dtype, Shape.of(k, n), "test");
            kernels.fill(x, 0);
            kernels.fill(w, 1);
            Tensor bias = backend.allocate(dtype, Shape.of(n), "test");
            Tensor y = backend.allocate(dtype, Shape.of(m, n), "test");
            random(bias, kernels, 1);
            kernels.linear(x, w, bias, y);
            long row = n * dtype.byteSize();
            for (long i = 0; i < m; i++) {
                assertEquals(-1, bias.host().mismatch(y.host().asSlice(i * row, row)), dtype + ", row " + i);
            }
        }
    }

    private static Tensor random(Tensor y, Kernels kernels, long seed) {
        kernels.uniform(new CounterRandom(CounterRandom.key(seed), 0), y);
        kernels.axpby(1, y, 0, y);
        return y;
    }
}
