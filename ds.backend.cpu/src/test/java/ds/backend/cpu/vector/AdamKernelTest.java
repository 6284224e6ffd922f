package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.Adam;
import ds.api.DType;
import ds.api.Tensor;
import ds.backend.cpu.threads.Part;
import ds.backend.cpu.threads.Scratch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AdamKernelTest {
    @ParameterizedTest
    @CsvSource({"true, true, 1, 1", "true, true, 3000, 37", "false, true, 2, 1037", "true, false, 5, 2051"})
    void stepEqualsTheFormulaInDouble(boolean decoupled, boolean biasCorrection, long step, int n) {
        Adam adam = new Adam(1e-2, 0.9, 0.999, 1e-8, 0.1, decoupled, biasCorrection, step, 0.5);
        try (HostTensors tensors = new HostTensors(n)) {
            Tensor weights = tensors.normal(DType.F32, 1, n);
            Tensor gradient = tensors.normal(DType.F32, 1, n);
            Tensor first = tensors.normal(DType.F32, 0.1, n);
            Tensor second = tensors.normal(DType.F32, 1, n);
            double[] expectedW = new double[n];
            double[] expectedM = new double[n];
            double[] expectedV = new double[n];
            for (int i = 0; i < n; i++) {
                HostTensors.set(second, i, Math.abs(HostTensors.get(second, i)) + 0.1f);
                double w = HostTensors.get(weights, i);
                double g = HostTensors.get(gradient, i) * 0.5 + (decoupled ? 0 : 0.1 * w);
                double m = 0.9 * HostTensors.get(first, i) + (1 - 0.9) * g;
                double v = 0.999 * HostTensors.get(second, i) + (1 - 0.999) * g * g;
                double mHat = biasCorrection ? m / (1 - Math.pow(0.9, step)) : m;
                double vHat = biasCorrection ? v / (1 - Math.pow(0.999, step)) : v;
                expectedM[i] = m;
                expectedV[i] = v;
                expectedW[i] = w - 1e-2 * (mHat / (Math.sqrt(vHat) + 1e-8) + (decoupled ? 0.1 * w : 0));
            }
            AdamKernel.step(adam, weights, gradient, first, second, new Part(0, n, new Scratch()));
            HostTensors.assertClose("m", expectedM, HostTensors.bounds(expectedM, DType.F32, 4, 4), first);
            HostTensors.assertClose("v", expectedV, HostTensors.bounds(expectedV, DType.F32, 4, 8), second);
            HostTensors.assertClose("w", expectedW, HostTensors.bounds(expectedW, DType.F32, 4, 8), weights);
        }
    }

    @Test
    void anyShardingGivesTheSameBitsAndTouchesNothingElse() {
        Adam adam = new Adam(1e-2, 0.9, 0.95, 1e-8, 0.1, true, true, 4, 1);
        int n = 3001;
        try (HostTensors whole = new HostTensors(6);
                HostTensors parts = new HostTensors(6)) {
            Tensor[] a = state(whole, n);
            Tensor[] b = state(parts, n);
            AdamKernel.step(adam, a[0], a[1], a[2], a[3], new Part(0, n, new Scratch()));
            for (int first = 0; first < n; first += 211) {
                Part part = new Part(first, Math.min(n, first + 211), new Scratch());
                AdamKernel.step(adam, b[0], b[1], b[2], b[3], part);
            }
            for (int k = 0; k < 4; k++) {
                assertArrayEquals(HostTensors.bytes(a[k]), HostTensors.bytes(b[k]), "tensor " + k);
            }
            float before = HostTensors.get(a[0], n - 1);
            AdamKernel.step(adam, a[0], a[1], a[2], a[3], new Part(0, n - 1, new Scratch()));
            assertEquals(before, HostTensors.get(a[0], n - 1));
        }
    }

    private static Tensor[] state(HostTensors tensors, int n) {
        Tensor[] state = new Tensor[4];
        for (int k = 0; k < 3; k++) {
            state[k] = tensors.normal(DType.F32, 1, n);
        }
        state[3] = tensors.zeros(DType.F32, n);
        return state;
    }
}
