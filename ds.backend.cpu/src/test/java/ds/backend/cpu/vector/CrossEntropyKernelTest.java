package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CrossEntropyKernelTest {
    @ParameterizedTest
    @CsvSource({
        "F32, 1, 1, 1",
        "F32, 3, 7, 8",
        "F32, 4, 64, 64",
        "F32, 2, 5003, 5056",
        "BF16, 4, 33, 40",
        "F16, 2, 20, 20"
    })
    void lossAndGradientEqualTheirDefinition(DType dtype, int rows, int vocabulary, int columns) {
        double gradientScale = 0.25;
        try (HostTensors tensors = new HostTensors(rows + columns)) {
            Tensor logits = tensors.normal(dtype, 3, rows, columns);
            Tensor targets = tensors.integers(vocabulary, rows);
            Tensor losses = tensors.zeros(DType.F32, rows);
            double[] gradient = new double[rows * columns];
            double[] loss = new double[rows];
            for (int i = 0; i < rows; i++) {
                double sum = 0;
                for (int j = 0; j < vocabulary; j++) {
                    sum += Math.exp(HostTensors.get(logits, (long) i * columns + j));
                }
                int target = (int) HostTensors.get(targets, i);
                loss[i] = Math.log(sum) - HostTensors.get(logits, (long) i * columns + target);
                for (int j = 0; j < vocabulary; j++) {
                    double p = Math.exp(HostTensors.get(logits, (long) i * columns + j)) / sum;
                    gradient[i * columns + j] = (p - (j == target ? 1 : 0)) * gradientScale;
                }
            }
            CrossEntropyKernel.run(
                    logits, targets, vocabulary, gradientScale, losses, new Part(0, rows, new Scratch()));
            // The sum adds about vocabulary / lanes numbers of each partial sum, relative to itself.
            double terms = 8 + (double) vocabulary / Lanes.COUNT;
            HostTensors.assertClose("loss", loss, HostTensors.bounds(loss, DType.F32, terms, 1), losses);
            HostTensors.assertClose(
                    "gradient", gradient, HostTensors.bounds(gradient, dtype, terms, gradientScale), logits);
        }
    }

    @Test
    void withoutGradientTheLogitsStay() {
        try (HostTensors tensors = new HostTensors(3)) {
            Tensor logits = tensors.normal(DType.BF16, 3, 2, 50);
            byte[] before = HostTensors.bytes(logits);
            Tensor losses = tensors.zeros(DType.F32, 2);
            CrossEntropyKernel.run(logits, tensors.integers(40, 2), 40, 0, losses, new Part(0, 2, new Scratch()));
            assertArrayEquals(before, HostTensors.bytes(logits));
        }
    }

    @Test
    void largeLogitsDoNotOverflowAndNaNIsKept() {
        try (HostTensors tensors = new HostTensors(3)) {
            Tensor logits = tensors.zeros(DType.F32, 2, 20);
            HostTensors.set(logits, 3, 1e30f);
            HostTensors.set(logits, 25, Float.NaN);
            Tensor losses = tensors.zeros(DType.F32, 2);
            Tensor targets = tensors.zeros(DType.I32, 2);
            HostTensors.set(targets, 0, 3);
            CrossEntropyKernel.run(logits, targets, 20, 1, losses, new Part(0, 2, new Scratch()));
            assertEquals(0f, HostTensors.get(losses, 0));
            assertEquals(0f, HostTensors.get(logits, 3));
            assertTrue(Float.isNaN(HostTensors.get(losses, 1)));
            assertTrue(Float.isNaN(HostTensors.get(logits, 20)));
        }
    }

    @Test
    void targetBeyondTheVocabularyIsNamed() {
        try (HostTensors tensors = new HostTensors(3)) {
            Tensor logits = tensors.normal(DType.F32, 1, 1, 20);
            Tensor target = tensors.zeros(DType.I32, 1);
            HostTensors.set(target, 0, 18);
            Part part = new Part(0, 1, new Scratch());
            Tensor losses = tensors.zeros(DType.F32, 1);
            Exception e = assertThrows(
                    IllegalArgumentException.class, () -> CrossEntropyKernel.run(logits, target, 18, 1, losses, part));
            assertTrue(e.getMessage().contains("target 18 in row 0"), e.getMessage());
        }
    }
}
