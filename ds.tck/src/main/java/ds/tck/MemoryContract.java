package ds.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Device;
import ds.api.Kernels;
import ds.api.MemoryUse;
import ds.api.OutOfDeviceMemoryException;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Buffers, their accounting, views, and copies to and from the host. */
public interface MemoryContract extends BackendContract {
    @Test
    default void backendDescribesItself() {
        assertNotNull(backend().name());
        assertNotNull(backend().device());
        assertTrue(backend().supports(DType.F32), "F32");
        assertTrue(backend().supports(DType.I32), "I32");
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 3, 16, 17, 250, 4099})
    default void bufferIsZeroedAlsoWhereMemoryIsReused(long elements) {
        for (int round = 0; round < 2; round++) {
            Tensor tensor = backend().allocate(DType.F32, Shape.of(elements), "contract");
            try (Buffer buffer = tensor.buffer()) {
                assertEquals(elements * Float.BYTES, buffer.byteSize());
                assertEquals("contract", buffer.label());
                assertEquals(backend().device(), buffer.device());
                assertArrayEquals(new double[(int) elements], read(tensor));
                kernels().fill(tensor, 7);
                backend().computeStream().synchronize();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {4, 20, 64, 1004})
    default void bufferIsAlignedTo64Bytes(long bytes) {
        try (Buffer one = backend().allocate(bytes, "contract");
                Buffer two = backend().allocate(bytes, "contract");
                Buffer host = backend().allocateHost(bytes, "contract")) {
            if (backend().device().equals(Device.HOST)) {
                assertEquals(0, one.host().address() % 64);
                assertEquals(0, two.host().address() % 64);
            }
            assertEquals(Device.HOST, host.device());
            assertEquals(bytes, host.host().byteSize());
        }
    }

    @Test
    default void memoryIsCountedByLabel() {
        MemoryUse before = backend().memory();
        Buffer one = backend().allocate(1000, "contract-a");
        Buffer two = backend().allocate(24, "contract-a");
        Buffer other = backend().allocate(500, "contract-b");
        assertEquals(new MemoryUse.Label(1024, 1024), label("contract-a"));
        assertEquals(new MemoryUse.Label(500, 500), label("contract-b"));
        assertEquals(before.liveBytes() + 1524, backend().memory().liveBytes());
        assertTrue(backend().memory().peakBytes() >= before.liveBytes() + 1524, "peak over all labels");

        one.close();
        one.close(); // a second time does nothing
        assertEquals(new MemoryUse.Label(24, 1024), label("contract-a"));
        Buffer three = backend().allocate(100, "contract-a");
        assertEquals(new MemoryUse.Label(124, 1024), label("contract-a"));
        two.close();
        three.close();
        other.close();
        assertEquals(new MemoryUse.Label(0, 1024), label("contract-a"));
        assertEquals(before.liveBytes(), backend().memory().liveBytes());
    }

    @Test
    default void useAfterCloseThrows() {
        Tensor dead = backend().allocate(DType.F32, Shape.of(8), "contract");
        Tensor view = dead.slice(2, 3);
        try (Buffer open = backend().allocate(32, "contract");
                Arena arena = Arena.ofConfined()) {
            Tensor alive = new Tensor(open, DType.F32, Shape.of(8));
            MemorySegment host = arena.allocate(32);
            dead.buffer().close();
            assertThrows(IllegalStateException.class, () -> dead.buffer().host());
            assertThrows(IllegalStateException.class, () -> dead.buffer().address());
            assertThrows(IllegalStateException.class, view::host);
            assertThrows(IllegalStateException.class, () -> kernels().fill(view, 1));
            assertThrows(IllegalStateException.class, () -> kernels().copy(dead, alive));
            assertThrows(IllegalStateException.class, () -> kernels().copy(alive, dead));
            assertThrows(
                    IllegalStateException.class,
                    () -> backend().upload(host, dead, backend().computeStream()));
            assertThrows(
                    IllegalStateException.class,
                    () -> backend().download(dead, host, backend().computeStream()));
        }
    }

    @Test
    default void closingTheBackendEndsItsBuffers() {
        TensorBackend other = openAnother();
        Buffer buffer = other.allocate(64, "contract");
        other.close();
        assertThrows(IllegalStateException.class, buffer::host);
        assertThrows(IllegalStateException.class, buffer::address);
        buffer.close();
    }

    @Test
    default void tooMuchIsRefusedAndNotCounted() {
        long before = backend().memory().liveBytes();
        OutOfDeviceMemoryException refused =
                assertThrows(OutOfDeviceMemoryException.class, () -> backend().allocate(1L << 50, "contract-huge"));
        assertTrue(refused.getMessage().contains("contract-huge"), refused.getMessage());
        assertTrue(refused.getMessage().contains(Long.toString(1L << 50)), refused.getMessage());
        assertEquals(before, backend().memory().liveBytes());
    }

    @Test
    default void viewsShareMemory() {
        Tensor all = backend().allocate(DType.F32, Shape.of(3, 4), "contract");
        try (Buffer buffer = all.buffer()) {
            kernels().fill(all.rows(1, 1), 5);
            kernels().fill(all.slice(11, 1), 2);
            kernels().fill(all.reshape(12).slice(0, 2), 9);
            assertArrayEquals(new double[] {9, 9, 0, 0, 5, 5, 5, 5, 0, 0, 0, 2}, read(all));
            assertEquals(48, buffer.byteSize());
        }
    }

    @ParameterizedTest
    @CsvSource({"1, false", "5, true", "64, true", "1003, true", "1000003, false", "1000003, true"})
    default void uploadAndDownloadCopyExactlyTheView(int elements, boolean forAllThreads) {
        Tensor all = backend().allocate(DType.I32, Shape.of(elements + 7L), "contract");
        try (Buffer buffer = all.buffer();
                Arena arena = forAllThreads ? Arena.ofShared() : Arena.ofConfined()) {
            MemorySegment host = arena.allocate(4L * elements, 4);
            double[] expected = new double[elements + 7];
            for (int i = 0; i < elements; i++) {
                host.setAtIndex(ValueLayout.JAVA_INT, i, i - 2);
                expected[i + 3] = i - 2.0;
            }
            backend().upload(host, all.slice(3, elements), backend().computeStream());
            backend().computeStream().synchronize();
            assertArrayEquals(expected, read(all));

            MemorySegment back = arena.allocate(4L * elements, 4);
            backend().download(all.slice(3, elements), back, backend().computeStream());
            backend().computeStream().synchronize();
            assertEquals(-1, back.mismatch(host));
            assertEquals(4L * (elements + 7), buffer.byteSize());
        }
    }

    @Test
    default void copyOfAnotherSizeIsRefused() {
        Tensor tensor = backend().allocate(DType.F32, Shape.of(4), "contract");
        try (Buffer buffer = tensor.buffer();
                Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(buffer.byteSize() + 4);
            assertThrows(
                    IllegalArgumentException.class,
                    () -> backend().upload(host, tensor, backend().computeStream()));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> backend().download(tensor, host, backend().computeStream()));
        }
    }

    private MemoryUse.Label label(String name) {
        return backend().memory().labels().get(name);
    }

    private Kernels kernels() {
        return backend().kernels(backend().computeStream());
    }
}
