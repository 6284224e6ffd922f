package ds.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ShapeTest {
    @Test
    void rowsAndColumnsOfAnyNumberOfDims() {
        Shape shape = Shape.of(2, 3, 5);
        assertEquals(3, shape.dimCount());
        assertEquals(30, shape.elements());
        assertEquals(6, shape.rows());
        assertEquals(5, shape.columns());
        assertEquals(2, shape.dim(0));
        assertEquals(5, shape.dim(-1));
        assertEquals(2, shape.dim(-3));
    }

    @Test
    void scalarHasOneElement() {
        Shape scalar = Shape.of();
        assertEquals(0, scalar.dimCount());
        assertEquals(1, scalar.elements());
        assertEquals(1, scalar.rows());
        assertEquals(1, scalar.columns());
        assertEquals("[]", scalar.toString());
    }

    @Test
    void isAValueAndKeepsACopy() {
        long[] dims = {4, 6};
        Shape shape = Shape.of(dims);
        dims[0] = 9;
        assertEquals(Shape.of(4, 6), shape);
        assertEquals(Shape.of(4, 6).hashCode(), shape.hashCode());
        assertNotEquals(Shape.of(6, 4), shape);
        assertEquals("[4, 6]", shape.toString());
    }

    @Test
    void impossibleDimsAreRejected() {
        IllegalArgumentException zero = assertThrows(IllegalArgumentException.class, () -> Shape.of(3, 0));
        assertTrue(zero.getMessage().contains("[3, 0]"), zero.getMessage());
        assertThrows(IllegalArgumentException.class, () -> Shape.of(-1));
        assertThrows(ArithmeticException.class, () -> Shape.of(1L << 32, 1L << 31));
        assertThrows(IndexOutOfBoundsException.class, () -> Shape.of(2, 3).dim(2));
    }
}
