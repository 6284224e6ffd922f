package ds.models.gpt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class SamplingTest {
    /** Probabilities 0.5, 0.25, 0.125, 0.125 at temperature 1, scattered. */
    private static final float[] LOGITS = {
        (float) Math.log(1), (float) Math.log(4), (float) Math.log(1), (float) Math.log(2)
    };

    private static final int DRAWS = 4000;

    private static double[] frequencies(Sampling sampling) {
        double[] counts = new double[LOGITS.length];
        for (int i = 0; i < DRAWS; i++) {
            counts[sampling.draw(LOGITS, i)] += 1.0 / DRAWS;
        }
        return counts;
    }

    @Test
    void tokensComeAsOftenAsTheirProbability() {
        double[] f = frequencies(new Sampling(1, 0, 1, 3));
        double fourSigma = 4 * Math.sqrt(0.25 / DRAWS);
        assertEquals(0.5, f[1], fourSigma);
        assertEquals(0.25, f[3], fourSigma);
        assertEquals(0.125, f[0], fourSigma);
        assertEquals(0.125, f[2], fourSigma);
    }

    @Test
    void temperatureSharpens() {
        double[] f = frequencies(new Sampling(0.5, 0, 1, 3)); // squares: 16/22, 4/22, 1/22, 1/22
        assertEquals(16.0 / 22, f[1], 4 * Math.sqrt(0.25 / DRAWS));
    }

    @Test
    void topKKeepsTheMostLikely() {
        double[] f = frequencies(new Sampling(1, 2, 1, 3));
        assertEquals(0, f[0] + f[2]);
        assertEquals(2.0 / 3, f[1], 4 * Math.sqrt(0.25 / DRAWS));
    }

    @Test
    void topPKeepsTheSmallestSetThatReachesIt() {
        double[] f = frequencies(new Sampling(1, 0, 0.7, 3));
        assertEquals(0, f[0] + f[2]);
        assertTrue(f[3] > 0);
    }

    @Test
    void zeroTemperatureTakesTheMostLikely() {
        assertEquals(1, frequencies(Sampling.GREEDY)[1], 1e-9);
    }

    @Test
    void valuesOutOfRangeAreRejected() {
        assertThrows(IllegalArgumentException.class, () -> new Sampling(-1, 0, 1, 0));
        assertThrows(IllegalArgumentException.class, () -> new Sampling(1, -1, 1, 0));
        assertThrows(IllegalArgumentException.class, () -> new Sampling(1, 0, 0, 0));
        assertThrows(IllegalArgumentException.class, () -> new Sampling(1, 0, 1.5, 0));
    }
}
