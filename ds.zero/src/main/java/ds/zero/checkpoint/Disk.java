package ds.zero.checkpoint;

import ds.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;

/**
 * Every operation by which saving changes the file system, one by one: a test can fail or stop each of them. Reading does not pass
 * here.
 */
interface Disk {
    /** The real one. */
    Disk REAL = new Disk() {};

    /** Makes a folder, and those above it. */
    default void createFolder(Path folder) throws IOException {
        Files.createDirectories(folder);
    }

    /** {@return a shard to be written; handed over} */
    default SafetensorsWriter openShard(Path file, List<SafetensorsWriter.Entry> tensors) throws IOException {
        return SafetensorsWriter.open(file, tensors, Map.of("format", "pt"));
    }

    /** Writes the next bytes of a tensor. */
    default void append(SafetensorsWriter shard, String tensor, MemorySegment bytes) throws IOException {
        shard.write(tensor, bytes);
    }

    /** Forces a shard to the device and gives it its name. */
    default void commit(SafetensorsWriter shard) throws IOException {
        shard.commit();
    }

    /** Writes a whole small file and forces it to the device. */
    default void writeFile(Path file, byte[] bytes) throws IOException {
        try (FileChannel channel = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            channel.force(true);
        }
    }

    /** Forces the names in a folder to the device. */
    default void forceFolder(Path folder) throws IOException {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    /** Renames in one step; the new name is free. */
    default void rename(Path from, Path to) throws IOException {
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Deletes a file or an empty folder, if it is there. */
    default void delete(Path path) throws IOException {
        Files.deleteIfExists(path);
    }

    /** {@return how many bytes can still be written} */
    default long usableBytes(Path folder) throws IOException {
        return Files.getFileStore(folder).getUsableSpace();
    }
}
