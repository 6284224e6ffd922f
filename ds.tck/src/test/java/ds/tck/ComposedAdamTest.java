package ds.tck;

import static ds.tck.Host.read;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.Adam;
import ds.api.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Adam against what its formulas give by hand. */
class ComposedAdamTest {
    private final Host host = new Host();

    @AfterEach
    void close() {
        host.close();
    }

    @Test
    void firstStepIsTheLearningRateAgainstTheSign() {
        Tensor weights = host.f32(new double[] {1, 1, 1}, 3);
        Tensor gradient = host.f32(new double[] {1e-3, -5, 2e4}, 3);
        Adam adam = new Adam(0.1, 0.9, 0.999, 1e-12, 0, true, true, 1, 1);
        host.kernels.adam(adam, weights, gradient, host.zeros(3), host.zeros(3));
        assertArrayEquals(new double[] {0.9, 1.1, 0.9}, read(weights), 1e-6);
    }

    @Test
    void decoupledDecayShrinksTheWeight() {
        Tensor weights = host.f32(new double[] {2}, 1);
        Adam adam = new Adam(0.1, 0.9, 0.999, 1e-8, 0.5, true, true, 1, 1);
        host.kernels.adam(adam, weights, host.zeros(1), host.zeros(1), host.zeros(1));
        assertEquals(2 * (1 - 0.1 * 0.5), read(weights)[0], 1e-6);
    }

    @ParameterizedTest
    @CsvSource({"true, true", "true, false", "false, true", "false, false"})
    void threeStepsFollowTheFormulas(boolean decoupled, boolean correction) {
        double w = 0.5;
        double m = 0;
        double v = 0;
        Tensor weights = host.f32(new double[] {w}, 1);
        Tensor first = host.zeros(1);
        Tensor second = host.zeros(1);
        double[] gradients = {4, -1, 0.5};
        for (int t = 1; t <= 3; t++) {
            Adam adam = new Adam(0.01, 0.8, 0.9, 1e-3, 0.1, decoupled, correction, t, 0.25);
            host.kernels.adam(adam, weights, host.f32(new double[] {gradients[t - 1]}, 1), first, second);
            double g = 0.25 * gradients[t - 1] + (decoupled ? 0 : 0.1 * w);
            m = 0.8 * m + 0.2 * g;
            v = 0.9 * v + 0.1 * g * g;
            double mHat = correction ? m / (1 - Math.pow(0.8, t)) : m;
            double vHat = correction ? v / (1 - Math.pow(0.9, t)) : v;
            w -= 0.01 * (mHat / (Math.sqrt(vHat) + 1e-3) + (decoupled ? 0.1 * w : 0));
            assertEquals(m, read(first)[0], 1e-6);
            assertEquals(v, read(second)[0], 1e-6);
            assertEquals(w, read(weights)[0], 1e-6);
        }
    }
}
