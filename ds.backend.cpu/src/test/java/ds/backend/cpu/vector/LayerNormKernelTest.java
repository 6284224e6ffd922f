package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.LayerNorm;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LayerNormKernelTest {
    private static final double EPSILON = 1e-5f;

    @ParameterizedTest
    @CsvSource({"F32, 1, 1", "F32, 3, 7", "F32, 5, 64", "F32, 2, 1001", "BF16, 5, 33", "F16, 2, 40"})
    void residualSumIsNormalisedAsItIsStored(DType dtype, int rows, int columns) {
        try (HostTensors tensors = new HostTensors(rows + columns)) {
            Tensor x = tensors.normal(dtype, 1, rows, columns);
            Tensor residual = tensors.normal(dtype, 2, rows, columns);
            LayerNorm norm = norm(tensors, dtype, rows, columns);
            Tensor sum = tensors.zeros(dtype, rows, columns);
            Tensor y = tensors.zeros(dtype, rows, columns);
            Tensor alone = tensors.zeros(dtype, rows, columns);
            LayerNormKernel.residualForward(x, residual, sum, norm, y, new Part(0, rows, new Scratch()));
            LayerNormKernel.forward(sum, norm, alone, new Part(0, rows, new Scratch()));
            for (int i = 0; i < rows * columns; i++) {
                double exact = (double) HostTensors.get(x, i) + HostTensors.get(residual, i);
                assertEquals(
                        exact, HostTensors.get(sum, i), Math.abs(exact) * HostTensors.rounding(dtype) * 1.001 + 1e-12);
                assertEquals(HostTensors.get(alone, i), HostTensors.get(y, i), "element " + i);
            }
            double[] expected = new double[rows * columns];
            for (int i = 0; i < rows; i++) {
                forward(sum, norm, i, expected);
            }
            // A mean of large numbers: its error times rstd · weight, for n additions of numbers up to 10.
            double scale = 40 * (columns == 1 ? 1 : HostTensors.max(HostTensors.values(norm.rstd())));
            HostTensors.assertClose("y", expected, HostTensors.bounds(expected, dtype, columns + 8.0, scale), y);
        }
    }

    @ParameterizedTest
    @CsvSource({"F32, 1, 3", "F32, 40, 7", "F32, 70, 64", "F32, 2, 1001", "BF16, 40, 33", "F16, 2, 40"})
    void backwardEqualsTheJacobianInDouble(DType dtype, int rows, int columns) {
        try (HostTensors tensors = new HostTensors(rows + columns)) {
            Tensor x = tensors.normal(dtype, 1, rows, columns);
            Tensor dy = tensors.normal(dtype, 1, rows, columns);
            Tensor dx = tensors.normal(dtype, 1, rows, columns);
            LayerNorm norm = norm(tensors, dtype, rows, columns);
            double[] expected = HostTensors.values(dx);
            LayerNormKernel.forward(x, norm, tensors.zeros(dtype, rows, columns), new Part(0, rows, new Scratch()));
            double[] dWeight = new double[columns];
            double[] dBias = new double[columns];
            for (int i = 0; i < rows; i++) {
                backward(dy, x, norm, i, expected, dWeight, dBias);
            }
            Tensor weightGradient = tensors.zeros(DType.F32, columns);
            Tensor biasGradient = tensors.zeros(DType.F32, columns);
            ColumnSums sums = new ColumnSums();
            sums.reset(rows, 2 * LayerNormKernel.biasColumn(columns));
            for (int block = 0; block < sums.blocks(); block++) {
                LayerNormKernel.backward(dy, x, norm, dx, sums, sums.part(block, new Scratch()));
            }
            sums.addTo(weightGradient, 0, new Scratch());
            sums.addTo(biasGradient, LayerNormKernel.biasColumn(columns), new Scratch());
            double rstd = Math.max(1, HostTensors.max(HostTensors.values(norm.rstd())));
            double scale = 30 * rstd * rstd; // n = (x - mean) rstd, and rstd again outside
            HostTensors.assertClose("dx", expected, HostTensors.bounds(expected, dtype, columns + 16.0, scale), dx);
            HostTensors.assertClose(
                    "dWeight", dWeight, HostTensors.bounds(dWeight, DType.F32, rows + columns, scale), weightGradient);
            HostTensors.assertClose("dBias", dBias, HostTensors.bounds(dBias, DType.F32, rows, 5), biasGradient);
        }
    }

    private static LayerNorm norm(HostTensors tensors, DType dtype, int rows, int columns) {
        Tensor weight = tensors.normal(dtype, 1, columns);
        Tensor bias = tensors.normal(dtype, 1, columns);
        Tensor mean = tensors.zeros(DType.F32, rows);
        return new LayerNorm(weight, bias, mean, tensors.zeros(DType.F32, rows), (float) EPSILON);
    }

    private static double mean(Tensor x, int row, int columns) {
        double sum = 0;
        for (int j = 0; j < columns; j++) {
            sum += HostTensors.get(x, (long) row * columns + j);
        }
        return sum / columns;
    }

    private static double rstd(Tensor x, int row, int columns) {
        double squares = 0;
        for (int j = 0; j < columns; j++) {
            squares += Math.pow(HostTensors.get(x, (long) row * columns + j), 2);
        }
        return 1 / Math.sqrt(squares / columns - Math.pow(mean(x, row, columns), 2) + EPSILON);
    }

    private static void forward(Tensor x, LayerNorm norm, int row, double[] y) {
        int n = (int) x.shape().columns();
        double mean = mean(x, row, n);
        double rstd = rstd(x, row, n);
        for (int j = 0; j < n; j++) {
            double normal = (HostTensors.get(x, (long) row * n + j) - mean) * rstd;
            y[row * n + j] = normal * HostTensors.get(norm.weight(), j) + HostTensors.get(norm.bias(), j);
        }
    }

    /** By the full Jacobian: d n_k / d x_j = rstd (delta_jk - 1/n - n_j n_k / n). */
    private static void backward(
            Tensor dy, Tensor x, LayerNorm norm, int row, double[] dx, double[] dWeight, double[] dBias) {
        int n = (int) x.shape().columns();
        double mean = mean(x, row, n);
        double rstd = rstd(x, row, n);
        double[] normal = new double[n];
        for (int j = 0; j < n; j++) {
            normal[j] = (HostTensors.get(x, (long) row * n + j) - mean) * rstd;
            dWeight[j] += normal[j] * HostTensors.get(dy, (long) row * n + j);
            dBias[j] += HostTensors.get(dy, (long) row * n + j);
        }
        for (int k = 0; k < n; k++) {
            double g = HostTensors.get(dy, (long) row * n + k) * HostTensors.get(norm.weight(), k);
            for (int j = 0; j < n; j++) {
                dx[row * n + j] += g * rstd * ((j == k ? 1 : 0) - 1.0 / n - normal[j] * normal[k] / n);
            }
        }
    }
}
