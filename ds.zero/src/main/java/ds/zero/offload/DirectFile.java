package ds.zero.offload;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * A file read and written past the page cache, so that what is offloaded does not come back as cached pages. Where the file
 * system has no direct I/O (such as one in memory) it goes through the cache. Positional: any thread may call.
 */
final class DirectFile implements AutoCloseable {
    /** What positions, sizes and addresses must be multiples of; every file system's blocks divide it. */
    static final int ALIGNMENT = 4096;

    /** A request at most, so that counts stay far from the limits of an int. */
    private static final long MOST_BYTES = 64 << 20;

    private final Path path;
    private final FileChannel channel;
    private final boolean direct;

    private DirectFile(Path path, FileChannel channel, boolean direct) {
        this.path = path;
        this.channel = channel;
        this.direct = direct;
    }

    /**
     * Makes an empty file in place of one that may be there, with room for what will be written.
     *
     * @param bytes that it will have
     * @throws OffloadException if it cannot be made, or the disk has less room than that
     */
    static DirectFile create(Path path, long bytes) {
        try {
            Files.createDirectories(path.toAbsolutePath().getParent());
            Files.deleteIfExists(path);
            long free = Files.getFileStore(path.toAbsolutePath().getParent()).getUsableSpace();
            if (free < bytes) {
                throw new OffloadException(path + ": needs " + bytes + " bytes, the disk has " + free
                        + " free; free some, or name another folder in nvme_path");
            }
            return open(path);
        } catch (IOException e) {
            throw new OffloadException(path + ": cannot be made: " + e + "; see nvme_path", e);
        }
    }

    private static DirectFile open(Path path) throws IOException {
        Set<OpenOption> options =
                new HashSet<>(Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE));
        Optional<OpenOption> option = directOption();
        if (option.isPresent()) {
            Set<OpenOption> direct = new HashSet<>(options);
            direct.add(option.get());
            try {
                return new DirectFile(path, FileChannel.open(path, direct), true);
            } catch (UnsupportedOperationException | IOException e) {
                Files.deleteIfExists(path); // this file system has none
            }
        }
        return new DirectFile(path, FileChannel.open(path, options), false);
    }

    /** {@return the JDK's option for direct I/O, found by its name: javac lets no class name it without a warning} */
    private static Optional<OpenOption> directOption() {
        return ModuleLayer.boot()
                .findModule("jdk.unsupported")
                .map(module -> Class.forName(module, "com.sun.nio.file.ExtendedOpenOption"))
                .flatMap(type -> Stream.of(type.getEnumConstants())
                        .filter(constant -> constant.toString().equals("DIRECT"))
                        .map(OpenOption.class::cast)
                        .findFirst());
    }

    Path path() {
        return path;
    }

    /** {@return whether it passes by the page cache} */
    boolean isDirect() {
        return direct;
    }

    /**
     * Reads from a position into all of a segment.
     *
     * @throws OffloadException if the file is shorter, or the disk fails
     */
    void read(long position, MemorySegment target) {
        try {
            for (long done = 0; done < target.byteSize(); ) {
                ByteBuffer part = part(target, done);
                int count = channel.read(part, position + done);
                if (count <= 0 || (part.hasRemaining() && count % ALIGNMENT != 0)) {
                    throw new OffloadException(path + ": ends at byte " + channel.size() + ", needs "
                            + (position + target.byteSize()) + "; it was cut by somebody else while the run used it");
                }
                done += count;
            }
        } catch (IOException | UncheckedIOException e) {
            throw new OffloadException(path + ": cannot be read at byte " + position + ": " + e, e);
        }
    }

    /**
     * Writes all of a segment at a position.
     *
     * @throws OffloadException if the disk is full or fails
     */
    void write(long position, MemorySegment source) {
        try {
            for (long done = 0; done < source.byteSize(); ) {
                done += channel.write(part(source, done), position + done);
            }
        } catch (IOException e) {
            throw new OffloadException(
                    path + ": cannot write " + source.byteSize() + " bytes at byte " + position + ": " + e
                            + "; free disk space, or name another folder in nvme_path",
                    e);
        }
    }

    private static ByteBuffer part(MemorySegment segment, long done) {
        return segment.asSlice(done, Math.min(MOST_BYTES, segment.byteSize() - done))
                .asByteBuffer();
    }

    /** Closes and removes it: what it holds is of no use without the process that wrote it. */
    @Override
    public void close() {
        try {
            channel.close();
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new OffloadException(path + ": cannot be removed: " + e, e);
        }
    }
}
