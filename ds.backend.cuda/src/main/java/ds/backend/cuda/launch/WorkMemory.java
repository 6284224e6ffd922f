package ds.backend.cuda.launch;

import ds.api.Buffer;
import java.util.function.LongFunction;

/** Memory of the kernels of one stream, which grows to what the largest has needed. */
public final class WorkMemory implements AutoCloseable {
    private final LongFunction<Buffer> allocate;
    private final CudaStream stream;
    private Buffer buffer;

    public WorkMemory(LongFunction<Buffer> allocate, CudaStream stream) {
        this.allocate = allocate;
        this.stream = stream;
    }

    /** {@return the address of memory with any contents, until the next call} */
    public long of(long bytes) {
        if (buffer == null || buffer.byteSize() < bytes) {
            if (buffer != null) {
                stream.synchronize(); // a kernel may still use it
                buffer.close();
            }
            buffer = allocate.apply(Math.max(bytes, 1 << 16));
        }
        return buffer.address();
    }

    /** {@return memory beside it, handed over} */
    public Buffer temporary(long bytes) {
        return allocate.apply(bytes);
    }

    @Override
    public void close() {
        if (buffer != null) {
            buffer.close();
            buffer = null;
        }
    }
}
