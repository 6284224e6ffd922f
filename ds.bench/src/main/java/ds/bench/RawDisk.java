package ds.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/** What a disk does when nothing else is done: blocks of one size, past the page cache, a few requests at a time. */
final class RawDisk implements AutoCloseable {
    private static final int ALIGNMENT = 4096;

    private final Path path;
    private final FileChannel channel;
    private final int blockBytes;
    private final int threads;

    /**
     * Makes an empty file, which {@link #close} removes.
     *
     * @param blockBytes of a request; rounded up to whole sectors
     * @param threads how many requests are under way at once
     */
    RawDisk(Path path, long blockBytes, int threads) throws IOException {
        this.path = path;
        this.blockBytes = Math.toIntExact(Math.ceilDiv(blockBytes, ALIGNMENT) * ALIGNMENT);
        this.threads = threads;
        Set<OpenOption> options =
                new HashSet<>(Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE));
        options.add(directOption());
        this.channel = open(path, options);
    }

    private static FileChannel open(Path path, Set<OpenOption> options) throws IOException {
        Files.createDirectories(path.toAbsolutePath().getParent());
        try {
            return FileChannel.open(path, options);
        } catch (UnsupportedOperationException e) {
            throw new IOException(path + ": this file system has no direct I/O; name a folder on a disk", e);
        }
    }

    /** {@return the JDK's option for direct I/O, found by its name: javac lets no class name it without a warning} */
    private static OpenOption directOption() {
        return ModuleLayer.boot()
                .findModule("jdk.unsupported")
                .map(module -> Class.forName(module, "com.sun.nio.file.ExtendedOpenOption"))
                .flatMap(type -> Stream.of(type.getEnumConstants())
                        .filter(constant -> constant.toString().equals("DIRECT"))
                        .map(OpenOption.class::cast)
                        .findFirst())
                .orElseThrow(() -> new IllegalStateException("this Java runtime has no direct I/O"));
    }

    private interface Request {
        void run(long number, ByteBuffer block) throws IOException;
    }

    /** {@return bytes per second, until they are on the disk; the file has that many bytes then} */
    double write(long bytes) throws IOException {
        long blocks = Math.ceilDiv(bytes, blockBytes);
        long start = System.nanoTime();
        seconds(blocks, this::writeBlock);
        channel.force(true);
        return blocks * blockBytes / ((System.nanoTime() - start) * 1e-9);
    }

    /** {@return bytes per second; what is read has to be written first} */
    double read(long bytes) {
        long blocks = Math.ceilDiv(bytes, blockBytes);
        return blocks * blockBytes / seconds(blocks, this::readBlock);
    }

    /**
     * {@return seconds for reads and writes at once, spread evenly over each other}
     *
     * @param fileBytes that were written before; each pass over the file starts again at its beginning
     */
    double mixedSeconds(long bytesRead, long bytesWritten, long fileBytes) {
        long reads = Math.ceilDiv(bytesRead, blockBytes);
        long writes = Math.ceilDiv(bytesWritten, blockBytes);
        long blocks = Math.max(1, fileBytes / blockBytes);
        long all = reads + writes;
        return seconds(all, (number, block) -> {
            long writesBefore = number * writes / all;
            boolean write = (number + 1) * writes / all > writesBefore;
            if (write) {
                writeBlock(writesBefore % blocks, block);
            } else {
                readBlock((number - writesBefore) % blocks, block);
            }
        });
    }

    private void writeBlock(long number, ByteBuffer block) throws IOException {
        while (block.hasRemaining()) {
            channel.write(block, number * blockBytes + block.position());
        }
    }

    private void readBlock(long number, ByteBuffer block) throws IOException {
        while (block.hasRemaining()) {
            if (channel.read(block, number * blockBytes + block.position()) <= 0) {
                throw new IOException(path + " ends within block " + number);
            }
        }
    }

    private double seconds(long requests, Request request) {
        AtomicLong next = new AtomicLong();
        long start = System.nanoTime();
        List<CompletableFuture<Void>> workers = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            workers.add(CompletableFuture.runAsync(
                    () -> work(requests, next, request),
                    task -> Thread.ofPlatform().daemon().start(task)));
        }
        try {
            workers.forEach(CompletableFuture::join);
        } catch (CompletionException e) {
            throw e.getCause() instanceof UncheckedIOException cause ? cause : e;
        }
        return (System.nanoTime() - start) * 1e-9;
    }

    private void work(long requests, AtomicLong next, Request request) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(blockBytes, ALIGNMENT);
            for (long i = 0; i < blockBytes; i += Long.BYTES) {
                memory.set(ValueLayout.JAVA_LONG, i, i * 0x9E3779B97F4A7C15L); // a disk may have zeros for free
            }
            ByteBuffer block = memory.asByteBuffer();
            for (long number = next.getAndIncrement(); number < requests; number = next.getAndIncrement()) {
                request.run(number, block.clear());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
        Files.deleteIfExists(path);
    }
}
