package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.Attention;
import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Dropout;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AttentionKernelTest {
    private static final long B = 2;

    @ParameterizedTest
    @CsvSource({
        "F32, 1, 1, 1, 0", "F32, 5, 2, 3, 0", "F32, 33, 2, 16, 0", "F32, 64, 1, 48, 0", "F32, 130, 2, 20, 0",
        "F32, 40, 1, 119, 0", "F32, 70, 3, 8, 0.2", "BF16, 70, 2, 16, 0", "BF16, 33, 1, 100, 0.1", "F16, 9, 2, 10, 0"
    })
    void forwardAndBackwardEqualTheDefinition(DType dtype, int time, int heads, int size, float rate) {
        Dropout dropout = rate == 0 ? Dropout.NONE : new Dropout(rate, new CounterRandom(11, 5));
        Attention attention = new Attention(heads, dropout);
        long c = (long) heads * size;
        try (HostTensors tensors = new HostTensors(time + size)) {
            Tensor qkv = tensors.normal(dtype, 1, B, time, 3 * c);
            Tensor dy = tensors.normal(dtype, 1, B, time, c);
            Tensor y = tensors.zeros(dtype, B, time, c);
            Tensor logSumExp = tensors.zeros(DType.F32, B, heads, time);
            Tensor dqkv = tensors.normal(dtype, 1, B, time, 3 * c);
            Scratch scratch = new Scratch();
            AttentionKernel.forward(qkv, attention, y, logSumExp, new Part(1, B * heads, scratch));
            AttentionKernel.forward(qkv, attention, y, logSumExp, new Part(0, 1, scratch));
            AttentionKernel.backward(dy, qkv, attention, y, logSumExp, dqkv, new Part(0, B * heads, scratch));

            AttentionReference reference = new AttentionReference(qkv, dy, y, attention);
            double terms = 2.0 * size + time + 32;
            double scale = HostTensors.max(HostTensors.values(qkv));
            double gradientScale = scale * scale * HostTensors.max(HostTensors.values(dy)); // of products of three
            assertClose("logSumExp", reference.logSumExp, logSumExp, terms, scale);
            assertClose("y", reference.y, y, terms, scale);
            assertClose("dqkv", reference.dqkv, dqkv, terms, gradientScale);
        }
    }

    @ParameterizedTest
    @CsvSource({"F32, 7, 2, 12", "F32, 100, 1, 16", "BF16, 70, 2, 9"})
    void cacheGivesTheBitsOfTheWholeSequence(DType dtype, int time, int heads, int size) {
        long c = (long) heads * size;
        try (HostTensors tensors = new HostTensors(time)) {
            Tensor qkv = tensors.normal(dtype, 1, 1, time, 3 * c);
            Tensor whole = tensors.zeros(dtype, 1, time, c);
            Tensor logSumExp = tensors.zeros(DType.F32, 1, heads, time);
            Attention attention = new Attention(heads, Dropout.NONE);
            AttentionKernel.forward(qkv, attention, whole, logSumExp, new Part(0, heads, new Scratch()));
            Tensor keys = tensors.normal(dtype, 1, 1, time + 3, c);
            Tensor values = tensors.normal(dtype, 1, 1, time + 3, c);
            long past = 0;
            for (int n : new int[] {1, time / 2, 1, time - 2 - time / 2}) {
                Tensor fresh = qkv.slice(past * 3 * c, 1, n, 3 * c);
                Tensor y = tensors.zeros(dtype, 1, n, c);
                AttentionKernel.append(fresh, keys, values, past, new Part(0, n, new Scratch()));
                AttentionKernel.cached(fresh, keys, values, past, heads, y, new Part(0, heads, new Scratch()));
                for (int i = 0; i < n * c; i++) {
                    assertEquals(HostTensors.get(whole, past * c + i), HostTensors.get(y, i), 1e-5, "past " + past);
                }
                past += n;
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"F32, 100, 2, 24", "BF16, 100, 2, 24"})
    void bitsDoNotDependOnTheParts(DType dtype, int time, int heads, int size) {
        long c = (long) heads * size;
        try (HostTensors tensors = new HostTensors(time)) {
            Tensor qkv = tensors.normal(dtype, 1, B, time, 3 * c);
            Tensor dy = tensors.normal(dtype, 1, B, time, c);
            Attention attention = new Attention(heads, Dropout.NONE);
            byte[][] results = new byte[2][];
            for (int k = 0; k < 2; k++) {
                Tensor y = tensors.zeros(dtype, B, time, c);
                Tensor logSumExp = tensors.zeros(DType.F32, B, heads, time);
                Tensor dqkv = tensors.zeros(dtype, B, time, 3 * c);
                for (long head = 0; head < B * heads; head += k + 1) {
                    Scratch scratch = new Scratch();
                    AttentionKernel.forward(qkv, attention, y, logSumExp, new Part(head, head + k + 1, scratch));
                    AttentionKernel.backward(
                            dy, qkv, attention, y, logSumExp, dqkv, new Part(head, head + k + 1, scratch));
                }
                results[k] = HostTensors.bytes(dqkv);
            }
            assertArrayEquals(results[0], results[1]);
        }
    }

    private static void assertClose(String what, double[] expected, Tensor actual, double terms, double scale) {
        double[] bounds = HostTensors.bounds(expected, actual.dtype(), terms, Math.max(1, scale));
        HostTensors.assertClose(what, expected, bounds, actual);
    }
}
