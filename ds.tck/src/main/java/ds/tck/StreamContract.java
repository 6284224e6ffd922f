package ds.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Event;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The order of work on streams. */
public interface StreamContract extends BackendContract {
    /** Large enough that a device is still busy when the next call comes. */
    int ELEMENTS = 1 << 16;

    @Test
    default void computeStreamStaysTheSame() {
        assertSame(backend().computeStream(), backend().computeStream());
        Kernels kernels = backend().kernels(backend().computeStream());
        assertSame(backend(), kernels.backend());
        assertSame(backend().computeStream(), kernels.stream());
    }

    @Test
    default void oneStreamRunsInOrder() {
        Tensor x = backend().allocate(DType.F32, Shape.of(ELEMENTS), "contract");
        try (Buffer buffer = x.buffer()) {
            Kernels kernels = backend().kernels(backend().computeStream());
            kernels.fill(x, 1);
            for (int i = 0; i < 10; i++) {
                kernels.axpby(1, x, 1, x); // doubles
            }
            assertAll(1024, x);
            assertEquals(4L * ELEMENTS, buffer.byteSize());
        }
    }

    @Test
    default void eventOrdersTwoStreams() {
        Tensor x = backend().allocate(DType.F32, Shape.of(ELEMENTS), "contract");
        Tensor y = backend().allocate(DType.F32, Shape.of(ELEMENTS), "contract");
        try (Buffer first = x.buffer();
                Buffer second = y.buffer();
                Stream other = backend().openStream()) {
            assertEquals(first.byteSize(), second.byteSize());
            backend().kernels(other).fill(x, 3);
            Event filled = other.record();
            backend().computeStream().await(filled);
            backend().computeStream().await(Event.DONE);
            backend().kernels(backend().computeStream()).axpby(2, x, 0, y);
            assertAll(6, y);
            filled.synchronize(); // long past, also a second time
            filled.synchronize();
        }
    }

    private void assertAll(double expected, Tensor tensor) {
        double[] all = new double[ELEMENTS];
        Arrays.fill(all, expected);
        assertArrayEquals(all, read(tensor));
    }
}
