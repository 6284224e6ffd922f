package ds.safetensors;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * A file that is complete or absent: written beside its name under {@code NAME.tmp}, forced to the device, then renamed over it
 * in one step. Closed before {@link #commit}, it leaves the file of the final name as it was.
 */
final class PendingFile implements AutoCloseable {
    private final Path target;
    private final Path temporary;
    private final FileChannel channel;
    private final BlockWriter blocks;
    private boolean committed;

    private PendingFile(Path target, Path temporary, FileChannel channel) throws IOException {
        this.target = target;
        this.temporary = temporary;
        this.channel = channel;
        this.blocks = new BlockWriter(temporary, channel);
    }

    /** {@return an empty file; a leftover of a killed process is overwritten, but two writers at a time are an error} */
    static PendingFile create(Path target) {
        Path temporary = target.resolveSibling(target.getFileName() + ".tmp");
        try {
            FileChannel channel = FileChannel.open(temporary, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            try {
                if (!locked(channel)) {
                    throw new SafetensorsException(
                            temporary, "is being written by another writer; give each writer its own file");
                }
                channel.truncate(0);
                return new PendingFile(target, temporary, channel);
            } catch (IOException | SafetensorsException e) {
                channel.close();
                throw e;
            }
        } catch (IOException e) {
            throw new SafetensorsException(
                    temporary, "cannot be created: " + e + "; check that the folder exists and is writable", e);
        }
    }

    private static boolean locked(FileChannel channel) throws IOException {
        try {
            return channel.tryLock() != null; // released with the channel
        } catch (OverlappingFileLockException e) {
            return false;
        }
    }

    /** Writes all bytes at {@code position}. */
    void write(MemorySegment bytes, long position) {
        checkOpen();
        try {
            blocks.write(bytes, position);
        } catch (IOException e) {
            throw failed(position + bytes.byteSize(), e);
        }
    }

    private SafetensorsException failed(long bytes, IOException e) {
        return new SafetensorsException(
                temporary,
                "writing its first " + bytes + " bytes failed: " + e + "; free space on the disk or choose another; "
                        + target.getFileName() + " is as it was",
                e);
    }

    /** Makes the file appear under its name, durably. */
    void commit() {
        checkOpen();
        try {
            blocks.finish();
        } catch (IOException e) {
            throw failed(blocks.end(), e);
        }
        try {
            channel.force(true);
            Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            committed = true;
            channel.close();
        } catch (IOException e) {
            throw new SafetensorsException(
                    target,
                    "the complete file " + temporary + " could not take this name: " + e + "; check the disk",
                    e);
        }
        forceFolder();
    }

    private void checkOpen() {
        if (!channel.isOpen()) {
            throw new IllegalStateException(target + ": already committed or closed; open a new writer");
        }
    }

    /** A rename survives a power failure once its folder is on the device; systems that cannot open a folder do without. */
    private void forceFolder() {
        try (var folder = FileChannel.open(target.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
            folder.force(true);
        } catch (IOException e) {
            System.getLogger(PendingFile.class.getName())
                    .log(System.Logger.Level.DEBUG, "folder of " + target + " not forced to the device", e);
        }
    }

    @Override
    public void close() {
        try {
            blocks.close();
            channel.close();
            if (!committed) {
                Files.deleteIfExists(temporary);
            }
        } catch (IOException e) {
            throw new SafetensorsException(temporary, "could not be removed: " + e + "; delete it", e);
        }
    }
}
