package ds.backend.cuda;

import ds.api.Buffer;
import ds.api.Device;
import ds.cuda.CudaDevice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Pinned host memory: what the device copies from and to without the processor. */
final class PinnedBuffer implements Buffer {
    private final String label;
    private final Consumer<PinnedBuffer> onClose;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;

    @SuppressWarnings("restricted") // what the driver gives is sized here, and freed with the arena
    PinnedBuffer(CudaDevice device, long byteSize, String label, Consumer<PinnedBuffer> onClose) {
        this.label = label;
        this.onClose = onClose;
        MemorySegment allocated = MemorySegment.ofAddress(device.allocateHost(byteSize));
        memory = allocated.reinterpret(byteSize, arena, segment -> device.freeHost(segment.address()));
        memory.fill((byte) 0);
    }

    @Override
    public Device device() {
        return Device.HOST;
    }

    @Override
    public long byteSize() {
        return memory.byteSize();
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public MemorySegment host() {
        if (!arena.scope().isAlive()) {
            throw new IllegalStateException("pinned buffer '" + label + "' of " + byteSize()
                    + " bytes is closed; a tensor must not be used after its buffer");
        }
        return memory;
    }

    @Override
    public long address() {
        return host().address();
    }

    @Override
    public synchronized void close() {
        if (arena.scope().isAlive()) {
            arena.close();
            onClose.accept(this);
        }
    }
}
