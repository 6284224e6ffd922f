package ds.api;

import java.lang.foreign.MemorySegment;

/**
 * One device: its memory, its streams and its kernels. Allocation is for the time before the first step ends; nothing is
 * allocated inside a steady step. Methods may be called from any thread; kernels of one stream from one thread at a time.
 */
public interface TensorBackend extends AutoCloseable {
    /** {@return the name of the provider that opened it, such as {@code "cpu"}} */
    String name();

    /** {@return where its buffers live} */
    Device device();

    /** {@return whether tensors of this type can be stored and computed on; F32 and I32 always can} */
    boolean supports(DType dtype);

    /**
     * Allocates memory, filled with zeros and aligned to 64 bytes.
     *
     * @param label what it is for, such as {@code "gradients"}: the key under which {@link #memory} counts it
     * @return handed over: the caller closes it
     * @throws OutOfDeviceMemoryException if there is not enough
     */
    Buffer allocate(long byteSize, String label);

    /**
     * Allocates host memory from which this device copies fastest (pinned, for a GPU); plain memory for a backend on the host.
     *
     * @return handed over: the caller closes it
     */
    Buffer allocateHost(long byteSize, String label);

    /** {@return what is allocated, by label} */
    MemoryUse memory();

    /**
     * {@return what {@link #allocateHost} has handed out, by label, where it is not part of {@link #memory}: for a device of its
     * own. Nothing for a backend on the host}
     */
    default MemoryUse hostMemory() {
        return MemoryUse.NONE;
    }

    /** {@return the stream on which the forward and backward passes run; lives as long as the backend} */
    Stream computeStream();

    /** {@return a new stream, handed over} */
    Stream openStream();

    /** {@return kernels that enqueue their work on {@code stream}; they live as long as the stream} */
    Kernels kernels(Stream stream);

    /**
     * Copies from host memory to a tensor of this backend, in the order of {@code stream}. The source must stay as it is until
     * the copy is done.
     *
     * @param source as many bytes as {@code target} has
     * @throws IllegalArgumentException if it has not
     */
    void upload(MemorySegment source, Tensor target, Stream stream);

    /**
     * Copies from a tensor of this backend to host memory, in the order of {@code stream}: synchronize before reading.
     *
     * @param target as many bytes as {@code source} has
     * @throws IllegalArgumentException if it has not
     */
    void download(Tensor source, MemorySegment target, Stream stream);

    /** As {@link #upload(MemorySegment, Tensor, Stream)}, from a tensor in memory of {@link #allocateHost}. */
    default void upload(Tensor source, Tensor target, Stream stream) {
        upload(source.host(), target, stream);
    }

    /** As {@link #download(Tensor, MemorySegment, Stream)}, to a tensor in memory of {@link #allocateHost}. */
    default void download(Tensor source, Tensor target, Stream stream) {
        download(source, target.host(), stream);
    }

    /** Allocates one tensor with a buffer of its own, which the caller closes through {@link Tensor#buffer}. */
    default Tensor allocate(DType dtype, Shape shape, String label) {
        return new Tensor(allocate(Math.multiplyExact(shape.elements(), (long) dtype.byteSize()), label), dtype, shape);
    }

    /** Ends the device's threads and frees what the backend itself holds; buffers still open are dead from now on. */
    @Override
    void close();
}
