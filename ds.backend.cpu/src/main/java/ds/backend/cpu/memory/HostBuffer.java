package ds.backend.cpu.memory;

import ds.api.Buffer;
import ds.api.Device;
import ds.api.spi.MemoryLedger;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Memory of the host. Owns it; counted by the ledger from its making to its closing. */
public final class HostBuffer implements Buffer {
    private final MemoryLedger ledger;
    private final String label;
    private final Consumer<HostBuffer> onClose;
    private final Arena arena = Arena.ofShared(); // kernels run on many threads, and so does the communicator
    private final MemorySegment memory;

    /**
     * Allocates, and tells the ledger.
     *
     * @param byteSize at least 1
     * @param label whose use it counts as
     * @param onClose told once
     */
    public HostBuffer(HostMemory host, MemoryLedger ledger, long byteSize, String label, Consumer<HostBuffer> onClose) {
        this.ledger = ledger;
        this.label = label;
        this.onClose = onClose;
        ledger.take(byteSize, label);
        memory = host.map(byteSize, arena);
        if (memory == null) {
            arena.close();
            ledger.giveBack(byteSize, label);
            throw ledger.overLimit(byteSize, label);
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
            ledger.giveBack(byteSize(), label);
            onClose.accept(this);
        }
    }
}
