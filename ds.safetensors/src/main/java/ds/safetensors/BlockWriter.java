package ds.safetensors;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

/**
 * Writes a file in whole blocks, past the page cache and a few at a time, while its caller prepares more: a disk is as fast as it
 * can be only if it has several requests at once, and the page cache would cost a copy, and evict what others read. What does not
 * fill a block goes through the page cache, as does everything where the file system has no direct I/O.
 *
 * <p>One thread at a time. A failure of the disk is thrown by the next call, and by every one after it.
 */
final class BlockWriter implements AutoCloseable {
    static final int BLOCK_BYTES = 4 << 20;

    /** Requests at once: with more, a local disk is no faster. */
    private static final int THREADS = 3;

    /** One is filled while the others are written. */
    private static final int BLOCKS = THREADS + 1;

    private static final int PAGE_BYTES = 4096;

    private final FileChannel channel;
    private final Optional<FileChannel> direct;
    private final long alignment;
    private final Arena arena = Arena.ofShared();
    private final BlockingQueue<MemorySegment> idle = new ArrayBlockingQueue<>(BLOCKS);
    private final ExecutorService writers = Executors.newFixedThreadPool(
            THREADS, task -> Thread.ofPlatform().daemon().name("ds-write").unstarted(task));
    private final AtomicReference<Exception> failure = new AtomicReference<>();
    private int allocated;
    private MemorySegment block = MemorySegment.NULL;
    private long first; // of the bytes in block, as a position in the file
    private long end; // behind the last of them

    /**
     * Writes a file.
     *
     * @param path an existing file
     * @param channel to it, for writing; borrowed
     */
    BlockWriter(Path path, FileChannel channel) throws IOException {
        this.channel = channel;
        long unit = Files.getFileStore(path).getBlockSize();
        this.alignment = Math.max(PAGE_BYTES, unit);
        this.direct = BLOCK_BYTES % alignment == 0 ? openDirect(path) : Optional.empty();
    }

    private static Optional<FileChannel> openDirect(Path path) {
        return directOption().flatMap(option -> {
            try {
                return Optional.of(FileChannel.open(path, StandardOpenOption.WRITE, option));
            } catch (UnsupportedOperationException | IOException e) {
                return Optional.empty(); // this file system has none
            }
        });
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

    /**
     * Writes all bytes at a position; fastest where it is the one behind the last call's bytes.
     *
     * @param bytes borrowed for this call
     */
    void write(MemorySegment bytes, long position) throws IOException {
        if (position != end) {
            flush();
            first = position;
            end = position;
        }
        for (long done = 0; done < bytes.byteSize(); ) {
            if (block.equals(MemorySegment.NULL)) {
                block = idleBlock();
            }
            long offset = end % BLOCK_BYTES;
            long count = Math.min(bytes.byteSize() - done, BLOCK_BYTES - offset);
            MemorySegment.copy(bytes, done, block, offset, count);
            done += count;
            end += count;
            if (end % BLOCK_BYTES == 0) {
                flush();
            }
        }
    }

    private MemorySegment idleBlock() throws IOException {
        check();
        if (idle.isEmpty() && allocated < BLOCKS) {
            allocated++;
            return arena.allocate(BLOCK_BYTES, alignment);
        }
        return take();
    }

    private MemorySegment take() throws IOException {
        try {
            return idle.take();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while it waited for the disk");
        }
    }

    /** Hands the gathered bytes over. */
    private void flush() throws IOException {
        if (end == first) {
            return;
        }
        MemorySegment full = block;
        long position = first;
        long offset = first % BLOCK_BYTES;
        long count = end - first;
        block = MemorySegment.NULL;
        first = end;
        if (count == BLOCK_BYTES) {
            writers.execute(() -> writeBlock(full, position));
        } else {
            try {
                writeAll(channel, full.asSlice(offset, count).asByteBuffer(), position);
            } finally {
                idle.add(full);
            }
        }
    }

    private void writeBlock(MemorySegment full, long position) {
        try {
            writeAll(direct.orElse(channel), full.asByteBuffer(), position);
        } catch (IOException | RuntimeException e) {
            failure.compareAndSet(null, e);
        } finally {
            idle.add(full);
        }
    }

    private static void writeAll(FileChannel channel, ByteBuffer bytes, long position) throws IOException {
        for (long at = position; bytes.hasRemaining(); ) {
            at += channel.write(bytes, at);
        }
    }

    /** Throws what a writer has met. */
    private void check() throws IOException {
        Exception met = failure.get();
        if (met != null) {
            throw new IOException(met.getMessage(), met);
        }
    }

    /** {@return the position behind the last byte that was taken} */
    long end() {
        return end;
    }

    /** Waits until all bytes are written; they are not on the device before the file is forced. */
    void finish() throws IOException {
        flush();
        for (int i = 0; i < allocated; i++) {
            take();
        }
        allocated = 0;
        check();
    }

    /** Waits for the writes under way, and frees all memory; what was gathered is dropped. Closed again, it does nothing. */
    @Override
    public void close() throws IOException {
        if (!arena.scope().isAlive()) {
            return;
        }
        writers.close();
        arena.close();
        if (direct.isPresent()) {
            direct.get().close();
        }
    }
}
