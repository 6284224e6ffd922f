package ds.api;

import java.lang.foreign.MemorySegment;

/**
 * Memory of one device. Whoever allocated it closes it; every tensor that views it is dead from then on, and using one
 * throws {@link IllegalStateException}. Closing twice does nothing.
 */
public interface Buffer extends AutoCloseable {
    /** {@return where the memory lives} */
    Device device();

    /** {@return its size} */
    long byteSize();

    /** {@return what it is for, as given to {@link TensorBackend#allocate}: the key of the memory accounting} */
    String label();

    /**
     * {@return the bytes, borrowed: dead after {@link #close}}
     *
     * @throws IllegalStateException if the buffer is closed, or its memory is not the host's
     */
    MemorySegment host();

    /**
     * {@return the address of the first byte, as the device itself counts: what NCCL or a kernel launch takes}
     *
     * @throws IllegalStateException if the buffer is closed, or the device has no addresses (arrays of the Java heap)
     */
    long address();

    @Override
    void close();
}
