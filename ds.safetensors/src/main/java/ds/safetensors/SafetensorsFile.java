package ds.safetensors;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/**
 * One safetensors file, memory-mapped: opening reads the header only, and a tensor's bytes are read when they are touched.
 * The whole header is checked when the file is opened. Any thread may use it.
 *
 * {@snippet :
 * try (SafetensorsFile file = SafetensorsFile.open(path)) {
 *     TensorInfo info = file.info("wte.weight");
 *     MemorySegment bytes = file.data("wte.weight"); // dead after close
 * }
 * }
 */
public final class SafetensorsFile implements AutoCloseable {
    private final Path path;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment bytes;
    private final Header header;

    private SafetensorsFile(Path path) throws IOException {
        this.path = path;
        try (var channel = FileChannel.open(path, StandardOpenOption.READ)) {
            this.bytes = channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
            this.header = Header.read(path, bytes);
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /**
     * {@return the opened file; the caller closes it} While it is open, nobody may shorten it: the system ends a process
     * that reads mapped bytes which are gone.
     *
     * @throws SafetensorsException if it is absent or unreadable, truncated or damaged: bad header length, bad JSON, a key
     *     twice, ranges that overlap, leave gaps, leave the file, or do not fit dtype × shape
     */
    public static SafetensorsFile open(Path path) {
        try {
            return new SafetensorsFile(path);
        } catch (IOException e) {
            throw new SafetensorsException(
                    path, "cannot be opened: " + e + "; check that it is a readable safetensors file", e);
        }
    }

    /** {@return where it lies} */
    public Path path() {
        return path;
    }

    /** {@return all tensors by name, in the order of their bytes; unmodifiable} */
    public Map<String, TensorInfo> tensors() {
        return header.tensors();
    }

    /** {@return the {@code __metadata__} of the header, such as {@code format = pt}; empty if there is none; unmodifiable} */
    public Map<String, String> metadata() {
        return header.metadata();
    }

    /**
     * {@return what the header says of this tensor}
     *
     * @throws SafetensorsException if there is none of that name
     */
    public TensorInfo info(String name) {
        TensorInfo info = tensors().get(name);
        if (info == null) {
            throw SafetensorsException.ofTensor(
                    path,
                    name,
                    "not in this file, which holds " + tensors().size() + " tensors: "
                            + tensors().keySet().stream().limit(4).toList() + " …; check the name");
        }
        return info;
    }

    /**
     * {@return the tensor's bytes, little-endian and row-major, read-only; borrowed: dead after {@link #close}} They may lie
     * at any address: read them with the {@code _UNALIGNED} layouts or copy them.
     *
     * @throws SafetensorsException if there is none of that name
     */
    public MemorySegment data(String name) {
        TensorInfo info = info(name);
        return bytes.asSlice(info.offset(), info.byteSize());
    }

    /** Unmaps the file. Idempotent. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
