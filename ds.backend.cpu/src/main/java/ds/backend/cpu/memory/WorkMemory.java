package ds.backend.cpu.memory;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.spi.HostBuffer;
import java.lang.foreign.MemorySegment;
import java.util.function.LongFunction;

/** Memory for one purpose, kept from call to call: it grows to what the largest call needs. */
public final class WorkMemory implements AutoCloseable {
    private final LongFunction<HostBuffer> allocator;
    private HostBuffer buffer;

    /** Allocates nothing yet. */
    public WorkMemory(LongFunction<HostBuffer> allocator) {
        this.allocator = allocator;
    }

    /** {@return an F32 tensor of this many elements, with any contents} */
    public Tensor f32(long elements) {
        return new Tensor(bytes(elements * Float.BYTES), DType.F32, Shape.of(elements));
    }

    /** {@return the address of this many bytes, with any contents} */
    public long address(long byteSize) {
        return bytes(Math.max(1, byteSize)).address();
    }

    /** {@return this many bytes, with any contents} */
    public MemorySegment memory(long byteSize) {
        return bytes(byteSize).host();
    }

    private HostBuffer bytes(long byteSize) {
        if (buffer == null || buffer.byteSize() < byteSize) {
            close();
            buffer = allocator.apply(byteSize);
        }
        return buffer;
    }

    @Override
    public void close() {
        if (buffer != null) {
            buffer.close();
        }
    }
}
