package ds.comm.tcp.share;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** A file of the memory file system, mapped; the file itself may be gone. Owns the mapping. */
final class SharedMemory implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment bytes;

    private SharedMemory(FileChannel file, long size) throws IOException {
        boolean mapped = false;
        try {
            bytes = file.map(FileChannel.MapMode.READ_WRITE, 0, size, arena);
            mapped = true;
        } finally {
            if (!mapped) {
                arena.close();
            }
        }
    }

    /**
     * Makes a file that only this user may open, all of which exists: a hole that could not be filled later would end the
     * process.
     *
     * @param content of its beginning; zeros follow
     * @throws IOException if there is no room, or no such folder
     */
    static SharedMemory make(Path path, long size, byte[] content) throws IOException {
        var ours = PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
        Set<OpenOption> options =
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
        try (FileChannel file = FileChannel.open(path, options, ours)) {
            ByteBuffer zeros = ByteBuffer.allocate(1 << 16);
            for (long left = size; left > 0; ) {
                left -= file.write(zeros.clear().limit((int) Math.min(left, zeros.capacity())));
            }
            SharedMemory memory = new SharedMemory(file, size);
            memory.bytes.asSlice(0, content.length).copyFrom(MemorySegment.ofArray(content));
            return memory;
        }
    }

    /** Opens the file of another process; {@link IOException} if there is none of this size. */
    static SharedMemory open(Path path, long size) throws IOException {
        Set<OpenOption> options = Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
        try (FileChannel file = FileChannel.open(path, options)) {
            if (file.size() != size) {
                throw new IOException(path + " has " + file.size() + " bytes, not " + size);
            }
            return new SharedMemory(file, size);
        }
    }

    MemorySegment bytes() {
        return bytes;
    }

    /** {@return a copy of its beginning} */
    byte[] content(int count) {
        return bytes.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE);
    }

    boolean isOpen() {
        return arena.scope().isAlive();
    }

    @Override
    public void close() {
        if (isOpen()) {
            arena.close();
        }
    }
}
