package ds.zero.plan;

import ds.api.Buffer;
import ds.api.Device;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A buffer that has a size, a label, and no memory. */
final class PlannedBuffer implements Buffer {
    private final PlannedMemory memory;
    private final Device device;
    private final long byteSize;
    private final String label;
    private final boolean forHost;
    private final Arena mapping = Arena.ofShared();
    private boolean mapped;
    private MemorySegment bytes = MemorySegment.NULL;
    private boolean closed;

    /**
     * Counts it.
     *
     * @param forHost whether its bytes may be asked for
     */
    PlannedBuffer(PlannedMemory memory, Device device, long byteSize, String label, boolean forHost) {
        if (byteSize < 1) {
            throw new IllegalArgumentException("planning " + byteSize + " bytes of '" + label + "'");
        }
        this.memory = memory;
        this.device = device;
        this.byteSize = byteSize;
        this.label = label;
        this.forHost = forHost;
        memory.add(label, byteSize);
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

    /** Host memory can be cut and passed on, but takes no room until somebody writes to it: a sparse file that is mapped. */
    @Override
    public synchronized MemorySegment host() {
        if (closed) {
            throw new IllegalStateException("buffer '" + label + "' of " + byteSize + " bytes is closed");
        }
        if (!forHost) {
            throw new IllegalStateException("buffer '" + label + "' of " + byteSize
                    + " bytes is planned and has no memory; a layer or optimizer that reads tensors on the host cannot be "
                    + "planned: let it use kernels, download and upload");
        }
        if (!mapped) {
            mapped = true;
            bytes = map(mapping);
        }
        return bytes;
    }

    private MemorySegment map(Arena arena) {
        try {
            Path file = Files.createTempFile("ds-plan", ".sparse");
            try (FileChannel channel = FileChannel.open(
                    file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE)) {
                return channel.map(FileChannel.MapMode.READ_WRITE, 0, byteSize, arena);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(
                    "planning '" + label + "': no file of " + byteSize + " bytes could be mapped", e);
        }
    }

    @Override
    public long address() {
        return host().address();
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            memory.add(label, -byteSize);
            mapping.close();
        }
    }
}
