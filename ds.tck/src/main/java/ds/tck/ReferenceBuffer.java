package ds.tck;

import ds.api.Buffer;
import ds.api.Device;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Host memory with an arena of its own, shared between threads: use after {@link #close} throws, it never crashes. */
final class ReferenceBuffer implements Buffer {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private final String label;
    private final Consumer<ReferenceBuffer> closed;

    /** Allocates zeros; {@code closed} is told once, when the memory is freed. */
    ReferenceBuffer(long byteSize, String label, Consumer<ReferenceBuffer> closed) {
        this.memory = arena.allocate(byteSize, 64);
        this.label = label;
        this.closed = closed;
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
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException(
                    "buffer '" + label + "' of " + byteSize() + " bytes is used after it was closed");
        }
        return memory;
    }

    @Override
    public long address() {
        return host().address();
    }

    @Override
    public synchronized void close() {
        if (memory.scope().isAlive()) {
            arena.close();
            closed.accept(this);
        }
    }
}
