package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import ds.api.DType;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GeluKernelTest {
    private static final double C = Math.sqrt(2 / Math.PI);

    @ParameterizedTest
    @CsvSource({"F32, 1, 1", "F32, 3, 7", "F32, 40, 33", "F32, 2, 1030", "BF16, 40, 33", "BF16, 2, 1030", "F16, 3, 20"})
    void equalsTheTanhForm(DType dtype, int rows, int columns) {
        try (HostTensors tensors = new HostTensors(rows + columns)) {
            Tensor x = tensors.normal(dtype, 3, rows, columns);
            Tensor bias = tensors.normal(dtype, 1, columns);
            Tensor y = tensors.zeros(dtype, rows, columns);
            GeluKernel.forward(x, bias, y, new Part(0, rows, new Scratch()));
            double[] expected = new double[rows * columns];
            double[] bound = new double[expected.length];
            for (int i = 0; i < expected.length; i++) {
                double u = HostTensors.get(x, i) + HostTensors.get(bias, i % columns);
                expected[i] = 0.5 * u * (1 + Math.tanh(inner(u)));
                // The sum u is rounded once; its derivative is at most 1.13.
                bound[i] = HostTensors.rounding(dtype) * Math.abs(expected[i]) * 1.01 + 0x1p-22 * Math.abs(u);
            }
            HostTensors.assertClose("gelu", expected, bound, y);
        }
    }

    @ParameterizedTest
    @CsvSource({"F32, 1, 1", "F32, 3, 7", "F32, 70, 33", "F32, 2, 1030", "BF16, 70, 33", "F16, 3, 20"})
    void backwardEqualsTheDerivativeInDouble(DType dtype, int rows, int columns) {
        try (HostTensors tensors = new HostTensors(rows + columns)) {
            Tensor x = tensors.normal(dtype, 3, rows, columns);
            Tensor bias = tensors.normal(dtype, 1, columns);
            Tensor dy = tensors.normal(dtype, 1, rows, columns);
            Tensor dx = tensors.zeros(dtype, rows, columns);
            Tensor dBias = tensors.normal(DType.F32, 1, columns);
            double[] sums = HostTensors.values(dBias);
            double[] expected = new double[rows * columns];
            for (int i = 0; i < expected.length; i++) {
                double u = HostTensors.get(x, i) + HostTensors.get(bias, i % columns);
                double h = Math.tanh(inner(u));
                double slope = 0.5 * (1 + h) + 0.5 * u * (1 - h * h) * C * (1 + 3 * 0.044715 * u * u);
                expected[i] = HostTensors.get(dy, i) * slope;
                sums[i % columns] += expected[i];
            }
            double[] bound = HostTensors.bounds(expected, dtype, 16, HostTensors.max(expected));
            double[] sumBound = HostTensors.bounds(sums, DType.F32, 16 + 2.0 * rows, HostTensors.max(expected) + 4);
            backward(dy, x, bias, dx, dBias, 1);
            HostTensors.assertClose("dx", expected, bound, dx);
            HostTensors.assertClose("dBias", sums, sumBound, dBias);
        }
    }

    @ParameterizedTest
    @CsvSource({"F32, 100, 40", "BF16, 700, 9"})
    void bitsDoNotDependOnWhoComputesWhichBlock(DType dtype, int rows, int columns) {
        try (HostTensors tensors = new HostTensors(5)) {
            Tensor x = tensors.normal(dtype, 3, rows, columns);
            Tensor bias = tensors.normal(dtype, 1, columns);
            Tensor dy = tensors.normal(dtype, 1, rows, columns);
            Tensor dx = tensors.zeros(dtype, rows, columns);
            Tensor inOrder = tensors.zeros(DType.F32, columns);
            Tensor reversed = tensors.zeros(DType.F32, columns);
            backward(dy, x, bias, dx, inOrder, 1);
            backward(dy, x, bias, dx, reversed, -1);
            assertArrayEquals(HostTensors.bytes(inOrder), HostTensors.bytes(reversed));
        }
    }

    private static void backward(Tensor dy, Tensor x, Tensor bias, Tensor dx, Tensor dBias, int direction) {
        ColumnSums sums = new ColumnSums();
        sums.reset(x.shape().rows(), (int) x.shape().columns());
        for (int k = 0; k < sums.blocks(); k++) {
            int block = direction > 0 ? k : sums.blocks() - 1 - k;
            GeluKernel.backward(dy, x, bias, dx, sums, sums.part(block, new Scratch()));
        }
        sums.addTo(dBias, 0, new Scratch());
    }

    private static double inner(double u) {
        return C * (u + 0.044715 * u * u * u);
    }
}
