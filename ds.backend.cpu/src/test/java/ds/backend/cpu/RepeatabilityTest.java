package ds.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.CoreKernels.Operand;
import ds.api.CoreKernels.Reduction;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.LayerNorm;
import ds.api.MemoryUse;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.ProviderOptions;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The same bits for any number of threads, and no allocation in a call like an earlier one. */
class RepeatabilityTest {
    private static final long M = 530;
    private static final long N = 1100;
    private static final long K = 77;

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void bitsDoNotDependOnTheNumberOfThreads(DType dtype) {
        List<byte[]> one = results(1, dtype);
        for (int threads : new int[] {2, 3, 1, 2, 3}) { // soon compiled, and still the same
            List<byte[]> many = results(threads, dtype);
            for (int i = 0; i < one.size(); i++) {
                long mismatch = MemorySegment.ofArray(one.get(i)).mismatch(MemorySegment.ofArray(many.get(i)));
                assertEquals(
                        -1, mismatch, dtype + ", result " + i + ", " + threads + " threads: first byte that differs");
            }
        }
    }

    @Test
    void secondCallAllocatesNothing() {
        try (TensorBackend backend = open(2)) {
            results(backend, DType.BF16);
            MemoryUse first = backend.memory();
            results(backend, DType.BF16);
            assertEquals(first.labels().get("matmul"), backend.memory().labels().get("matmul"));
        }
    }

    private static List<byte[]> results(int threads, DType dtype) {
        try (TensorBackend backend = open(threads)) {
            return results(backend, dtype);
        }
    }

    private static List<byte[]> results(TensorBackend backend, DType dtype) {
        Kernels k = backend.kernels(backend.computeStream());
        List<Tensor> tensors = new ArrayList<>();
        Tensor a = random(backend, dtype, M, K, tensors);
        Tensor b = random(backend, dtype, K, N, tensors);
        Tensor c = random(backend, dtype, M, N, tensors);
        Tensor gradient = random(backend, DType.F32, K, N, tensors);
        Tensor dx = random(backend, dtype, M, K, tensors);
        k.matmul(Operand.of(a), Operand.of(b), c, 0);
        k.matmul(Operand.transposed(a), Operand.of(c), gradient, 1);
        k.matmul(Operand.of(c), Operand.transposed(b), dx, 0);
        Tensor columns = random(backend, DType.F32, 1, N, tensors);
        k.sumColumns(c, columns, 1);
        Tensor rows = random(backend, DType.F32, 1, M, tensors);
        k.reduceRows(Reduction.SUM, c, rows);
        Tensor squares = new Tensor(backend.allocate(8, "test"), DType.F64, Shape.of(1));
        tensors.add(squares);
        k.sumOfSquares(c, squares);
        Tensor index = new Tensor(backend.allocate(4 * M, "test"), DType.I32, Shape.of(M));
        tensors.add(index);
        k.uniform(new CounterRandom(9, 0), rows);
        k.axpby(K, rows, 0, rows);
        k.copy(rows, index);
        Tensor table = random(backend, dtype, K, N, tensors);
        k.scatterAddRows(c, index, table);

        Tensor bias = random(backend, dtype, 1, N, tensors);
        Tensor dBias = random(backend, DType.F32, 1, N, tensors);
        k.linear(a, b, bias, c);
        k.biasGeluBackward(c, c, bias, c, dBias);
        Tensor mean = random(backend, DType.F32, 1, M, tensors);
        Tensor rstd = random(backend, DType.F32, 1, M, tensors);
        Tensor dWeight = random(backend, DType.F32, 1, N, tensors);
        LayerNorm norm = new LayerNorm(bias, bias, mean, rstd, 1e-5f);
        Tensor normal = random(backend, dtype, M, N, tensors);
        k.layerNorm(c, norm, normal);
        k.layerNormBackward(normal, c, norm, new LayerNorm.Gradients(dWeight, dBias), c);
        List<byte[]> results = tensors.stream()
                .map(t -> t.host().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE))
                .toList();
        tensors.forEach(t -> t.buffer().close());
        return results;
    }

    private static Tensor random(TensorBackend backend, DType dtype, long rows, long columns, List<Tensor> tensors) {
        Tensor tensor = backend.allocate(dtype, Shape.of(rows, columns), "test");
        tensors.add(tensor);
        Kernels kernels = backend.kernels(backend.computeStream());
        kernels.uniform(new CounterRandom(CounterRandom.key(5, tensors.size()), 0), tensor);
        return tensor;
    }

    private static TensorBackend open(int threads) {
        return new CpuBackendProvider().open(0, new ProviderOptions("test", Map.of("threads", threads)));
    }
}
