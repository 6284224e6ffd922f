package ds.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rounding of doubles, on which the oracle rests. */
class ElementsTest {
    private final ReferenceBackend backend = new ReferenceBackend();

    @AfterEach
    void close() {
        backend.close();
    }

    private double round(DType dtype, double value) {
        Tensor tensor = backend.allocate(dtype, Shape.of(1), "test");
        Elements elements = Elements.of(tensor);
        elements.set(0, value);
        return elements.get(0);
    }

    @ParameterizedTest
    @CsvSource({
        "BF16, 0x1.01p0, 0x1.00p0", // a tie goes to the even neighbour below
        "BF16, 0x1.03p0, 0x1.04p0", // and above
        "BF16, 0x1.0100000000001p0, 0x1.02p0", // just above a tie, by less than F32 can hold
        "BF16, 0x1.02ffffffffffp0, 0x1.02p0", // just below one
        "BF16, -0x1.0100000000001p0, -0x1.02p0",
        "BF16, 0x1.fep127, 0x1.fep127",
        "BF16, 0x1.fep0, 0x1.fep0",
        "F16, 0x1.002p0, 0x1.000p0",
        "F16, 0x1.0020000000001p0, 0x1.004p0",
        "F16, 65504, 65504",
        "F16, 65519.99, 65504",
        "F16, 0x1p-25, 0",
        "F16, 0x1.0000000000001p-25, 0x1p-24",
        "F32, 0x1.000001p0, 0x1.000000p0",
        "F32, 0x1.0000010000001p0, 0x1.000002p0",
        "F64, 0x1.0000000000001p0, 0x1.0000000000001p0",
        "I32, -7, -7"
    })
    void roundsOnceToNearestEven(DType dtype, String value, String expected) {
        assertEquals(Double.parseDouble(expected), round(dtype, Double.parseDouble(value)));
    }

    @Test
    void overflowBecomesInfinityAndNanStays() {
        for (DType dtype : new DType[] {DType.F32, DType.BF16, DType.F16}) {
            assertEquals(Double.POSITIVE_INFINITY, round(dtype, 1e300));
            assertEquals(Double.NEGATIVE_INFINITY, round(dtype, Double.NEGATIVE_INFINITY));
            assertTrue(Double.isNaN(round(dtype, Double.NaN)));
            double allOnes = Float.intBitsToFloat(0x7FFFFFFF); // a NaN that rounding would carry into the sign
            assertTrue(Double.isNaN(round(dtype, allOnes)));
        }
        assertEquals(Double.POSITIVE_INFINITY, round(DType.F16, 65520));
        assertEquals(Double.POSITIVE_INFINITY, round(DType.BF16, 0x1.ffp127));
    }
}
