package ds.api.spi;

import ds.api.Buffer;
import ds.api.Device;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Memory of the host for a backend, whose buffers all of its threads and the communicator's use: owns an arena, and with it the memory.
 * Used after it was closed it throws, and never crashes.
 */
public final class HostBuffer implements Buffer {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private final String label;
    private final Consumer<HostBuffer> onClose;

    /**
     * Allocates.
     *
     * @param allocator gives memory that is freed with the arena; what it throws is thrown
     * @param label what it is for
     * @param onClose told once, when the memory is freed
     */
    public HostBuffer(Function<Arena, MemorySegment> allocator, String label, Consumer<HostBuffer> onClose) {
        this.label = label;
        this.onClose = onClose;
        try {
            memory = allocator.apply(arena);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
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
            throw new IllegalStateException("buffer '" + label + "' of " + byteSize()
                    + " bytes of host memory is closed; a tensor must not be used after its buffer");
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
