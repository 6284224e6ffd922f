package ds.zero.offload;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.lang.foreign.MemorySegment;

/** Host memory that both a disk and the kernels of a backend on the host can use: aligned for the one, counted by the other. */
public final class HostTensor implements AutoCloseable {
    private static final long ALIGNMENT = SwapFile.paddedBytes(1);

    private final Buffer buffer;
    private final long before; // bytes until the first aligned one
    private final long bytes;

    public HostTensor(TensorBackend backend, long bytes, String label) {
        this.bytes = SwapFile.paddedBytes(bytes);
        this.buffer = backend.allocateHost(this.bytes + ALIGNMENT, label);
        this.before = -buffer.host().address() & (ALIGNMENT - 1);
    }

    /** {@return all of it, aligned} */
    public MemorySegment bytes() {
        return buffer.host().asSlice(before, bytes);
    }

    /** {@return elements of it, from an aligned byte on} */
    public Tensor tensor(DType dtype, long firstByte, long elements) {
        return new Tensor(buffer, dtype, Shape.of(elements), before + firstByte);
    }

    @Override
    public void close() {
        buffer.close();
    }
}
