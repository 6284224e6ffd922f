package ds.api.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

class ParameterTest {
    private static final Initializer ZERO = new Initializer.Constant(0);

    @Test
    void identityIsEquality() {
        Parameter one = new Parameter("w", Shape.of(2, 3), ZERO);
        Parameter two = new Parameter("w", Shape.of(2, 3), ZERO);
        assertNotEquals(one, two);
        assertEquals(one.key(5), two.key(5), "but the initial values are those of the name");
        assertNotEquals(one.key(5), one.key(6));
        assertNotEquals(one.key(5), new Parameter("v", Shape.of(2, 3), ZERO).key(5));
        assertEquals("w[2, 3]", one.toString());
    }

    @Test
    void decayAppliesToMatrices() {
        assertTrue(new Parameter("w", Shape.of(2, 3), ZERO).decays());
        assertFalse(new Parameter("b", Shape.of(3), ZERO).decays());
    }

    @Test
    void constantIsTheSameEverywhere() {
        assertEquals(0.25f, new Initializer.Constant(0.25f).value(7, 1L << 40));
    }

    @Test
    void valuesOfManyAreThoseOfEach() {
        for (Initializer initializer : List.of(new Initializer.Normal(3, 2), new Initializer.Constant(0.25f))) {
            MemorySegment values = MemorySegment.ofArray(new float[9]);
            initializer.fill(99, 1L << 33, values);
            for (int i = 0; i < 9; i++) {
                assertEquals(initializer.value(99, (1L << 33) + i), values.getAtIndex(ValueLayout.JAVA_FLOAT, i));
            }
        }
    }

    /** Sample moments within six standard deviations of their own distribution. */
    @Test
    void normalHasItsMoments() {
        Initializer normal = new Initializer.Normal(3, 2);
        int n = 100_000;
        double[] moments = new double[5];
        for (int i = 0; i < n; i++) {
            double z = (normal.value(99, i) - 3) / 2;
            for (int power = 1; power <= 4; power++) {
                moments[power] += Math.pow(z, power) / n;
            }
        }
        assertEquals(0, moments[1], 6 * Math.sqrt(1.0 / n));
        assertEquals(1, moments[2], 6 * Math.sqrt(2.0 / n));
        assertEquals(0, moments[3], 6 * Math.sqrt(15.0 / n));
        assertEquals(3, moments[4], 6 * Math.sqrt(96.0 / n));
    }

    @Test
    void normalElementsAreIndependent() {
        Initializer normal = new Initializer.Normal(0, 1);
        int n = 100_000;
        double neighbours = 0;
        double keys = 0;
        for (int i = 0; i < n; i++) {
            neighbours += (double) normal.value(1, i) * normal.value(1, i + 1L) / n;
            keys += (double) normal.value(1, i) * normal.value(2, i) / n;
        }
        assertEquals(0, neighbours, 6 / Math.sqrt(n));
        assertEquals(0, keys, 6 / Math.sqrt(n));
    }
}
