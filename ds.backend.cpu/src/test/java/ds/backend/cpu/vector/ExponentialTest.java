package ds.backend.cpu.vector;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class ExponentialTest {
    private static final int STEPS = 1 << 16;

    @Test
    void relativeErrorIsAtMostOneUnitInTheLastPlace() {
        float[] x = new float[STEPS];
        for (int i = 0; i < STEPS; i++) {
            x[i] = -87.3f + i * (88.3f + 87.3f) / STEPS;
        }
        float[] e = x.clone();
        Exponential.run(e, 0, STEPS, 0f);
        for (int i = 0; i < STEPS; i++) {
            double exact = Math.exp(x[i]);
            assertEquals(exact, e[i], exact * 0x1p-23, "of " + x[i]);
        }
    }

    @Test
    void extremesAndNaN() {
        float[] x = new float[Lanes.padded(6)];
        float infinity = Float.POSITIVE_INFINITY;
        System.arraycopy(new float[] {-infinity, -1e30f, -87.4f, 89, 1e30f, Float.NaN}, 0, x, 0, 6);
        Exponential.run(x, 0, x.length, 0f);
        float[] expected = {0, 0, 0, infinity, infinity, Float.NaN};
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], x[i], "element " + i);
        }
    }

    @Test
    void subtractsTheShiftAndSums() {
        int n = 5 * Lanes.COUNT;
        float[] x = new float[n + 2];
        Arrays.fill(x, 3f);
        float sum = Exponential.run(x, 1, n, 2f);
        assertEquals(Math.E * n, sum, 1e-6 * n);
        assertEquals(Math.E, x[1], 1e-6);
        assertEquals(3f, x[0]);
        assertEquals(3f, x[n + 1]);
    }
}
