package ds.backend.cuda;

import ds.api.Buffer;
import ds.api.Device;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Memory of a GPU. Owns its block until it is closed. */
final class CudaBuffer implements Buffer {
    private final Device device;
    private final long byteSize;
    private final String label;
    private final DeviceMemory.Block block;
    private final Consumer<CudaBuffer> onClose;
    private volatile boolean closed;

    CudaBuffer(Device device, long byteSize, String label, DeviceMemory.Block block, Consumer<CudaBuffer> onClose) {
        this.device = device;
        this.byteSize = byteSize;
        this.label = label;
        this.block = block;
        this.onClose = onClose;
    }

    @Override
    public Device device() {
        return device;
    }

    @Override
    public long byteSize() {
        return byteSize;
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public MemorySegment host() {
        requireOpen();
        throw new IllegalStateException("buffer '" + label + "' of " + byteSize + " bytes is on " + device
                + "; the host reaches it by download alone");
    }

    @Override
    public long address() {
        requireOpen();
        return block.address();
    }

    DeviceMemory.Block block() {
        return block;
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("buffer '" + label + "' of " + byteSize + " bytes on " + device
                    + " is closed; a tensor must not be used after its buffer");
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            onClose.accept(this);
        }
    }
}
