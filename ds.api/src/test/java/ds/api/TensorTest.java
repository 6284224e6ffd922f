package ds.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TensorTest {
    private final Buffer buffer = new HostBackend().allocate(256, "weights");

    @AfterEach
    void close() {
        buffer.close();
    }

    @Test
    void slicesAndRowsCountFromTheView() {
        Tensor tensor = new Tensor(buffer, DType.F32, Shape.of(4, 5), 8);
        assertEquals(20, tensor.elements());
        assertEquals(80, tensor.byteSize());
        assertEquals(buffer.address() + 8, tensor.address());
        assertEquals(80, tensor.host().byteSize());

        Tensor row = tensor.rows(2, 2);
        assertEquals(Shape.of(2, 5), row.shape());
        assertEquals(8 + 2 * 5 * 4, row.byteOffset());
        Tensor slice = row.slice(3, 2, 2);
        assertEquals(Shape.of(2, 2), slice.shape());
        assertEquals(8 + 13 * 4, slice.byteOffset());
        assertEquals(Shape.of(10, 2), tensor.reshape(10, 2).shape());
        assertEquals(8, tensor.reshape(20).byteOffset());
        assertEquals(2, new Tensor(buffer, DType.BF16, Shape.of(3), 2).byteOffset());
    }

    @Test
    void viewsEndWithTheirBuffer() {
        Tensor all = new Tensor(buffer, DType.F32, Shape.of(64));
        assertEquals(256, all.byteSize());
        assertThrows(IllegalArgumentException.class, () -> new Tensor(buffer, DType.F32, Shape.of(65)));
        assertThrows(IllegalArgumentException.class, () -> new Tensor(buffer, DType.F32, Shape.of(64), 4));
        assertThrows(IllegalArgumentException.class, () -> new Tensor(buffer, DType.F32, Shape.of(1), -4));
        assertThrows(IllegalArgumentException.class, () -> new Tensor(buffer, DType.F32, Shape.of(1), 2), "unaligned");
        assertThrows(IllegalArgumentException.class, () -> new Tensor(buffer, DType.F32, Shape.of(1), 400));
        assertThrows(IllegalArgumentException.class, () -> all.slice(60, 5));
        assertThrows(IllegalArgumentException.class, () -> all.slice(-1, 2));
        assertThrows(IllegalArgumentException.class, () -> all.rows(1, 1));
        assertThrows(IllegalArgumentException.class, () -> all.reshape(63));
    }

    @Test
    void sizesThatOverflowAreRejected() {
        assertThrows(ArithmeticException.class, () -> new Tensor(buffer, DType.F32, Shape.of(1L << 62)));
    }

    @Test
    void deadAfterTheBufferIsClosed() {
        Tensor tensor = new Tensor(buffer, DType.F32, Shape.of(4));
        buffer.close();
        assertThrows(IllegalStateException.class, tensor::host);
        assertThrows(IllegalStateException.class, tensor::address);
    }

    @Test
    void messageNamesTheBuffer() {
        IllegalArgumentException thrown =
                assertThrows(IllegalArgumentException.class, () -> new Tensor(buffer, DType.F32, Shape.of(65)));
        assertTrue(thrown.getMessage().contains("F32[65] of 260 bytes"), thrown.getMessage());
        assertTrue(thrown.getMessage().contains("'weights' of 256 bytes"), thrown.getMessage());
    }
}
