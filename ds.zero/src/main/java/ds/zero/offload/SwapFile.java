package ds.zero.offload;

import ds.zero.offload.SwapThreads.Ticket;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.zip.CRC32C;

/**
 * Blocks of memory in a file: each has its place, is written whole and read whole. Of each the checksum of what was written is
 * kept in memory, and what is read is compared with it. A block that was never written reads as zeros.
 *
 * <p>Requests for one block must not overlap; those for different blocks may, from any thread.
 */
public final class SwapFile implements AutoCloseable {
    private static final long NEVER_WRITTEN = -1;
    private static final int CHECKSUM_BYTES = 1 << 20;

    private final Optional<DirectFile> file;
    private final Path path;
    private final SwapThreads threads;
    private final long[] positions; // one more than there are blocks
    private final long[] bytes;
    private final AtomicLongArray checksums;

    /**
     * Makes the file in place of one that may be there; none for {@linkplain SwapThreads#idle idle} threads.
     *
     * @param threads borrowed
     * @param bytes of each block
     * @throws OffloadException if it cannot be made, or the disk has not enough room
     */
    public SwapFile(Path path, SwapThreads threads, long[] bytes) {
        this.path = path;
        this.threads = threads;
        this.bytes = bytes.clone();
        this.positions = new long[bytes.length + 1];
        for (int block = 0; block < bytes.length; block++) {
            positions[block + 1] = positions[block] + paddedBytes(bytes[block]);
        }
        this.checksums = new AtomicLongArray(bytes.length);
        for (int block = 0; block < bytes.length; block++) {
            checksums.set(block, NEVER_WRITTEN);
        }
        this.file = threads.isIdle() ? Optional.empty() : Optional.of(DirectFile.create(path, positions[bytes.length]));
    }

    /** {@return how much memory a block needs: its bytes, and the padding with which it is read and written} */
    public static long paddedBytes(long bytes) {
        return Math.ceilDiv(bytes, DirectFile.ALIGNMENT) * DirectFile.ALIGNMENT;
    }

    /**
     * {@return host memory for blocks of so many bytes, aligned for the disk; contents undefined}
     *
     * @param arena that may be used from any thread
     */
    public static MemorySegment allocate(Arena arena, long bytes) {
        return arena.allocate(paddedBytes(bytes), DirectFile.ALIGNMENT);
    }

    /**
     * Begins to write a block.
     *
     * @param source from {@link #allocate}; its padding is written too
     */
    public Ticket write(int block, MemorySegment source) {
        MemorySegment padded = source.asSlice(0, paddedBytes(bytes[block]));
        return threads.run(() -> {
            checksums.set(block, checksum(source.asSlice(0, bytes[block])));
            file.orElseThrow().write(positions[block], padded);
            threads.countWrite(padded.byteSize());
        });
    }

    /**
     * Begins to read a block.
     *
     * @param target from {@link #allocate}; overwritten, padding included
     */
    public Ticket read(int block, MemorySegment target) {
        MemorySegment padded = target.asSlice(0, paddedBytes(bytes[block]));
        return threads.run(() -> {
            long expected = checksums.get(block);
            if (expected == NEVER_WRITTEN) {
                padded.fill((byte) 0);
                return;
            }
            file.orElseThrow().read(positions[block], padded);
            threads.countRead(padded.byteSize());
            long found = checksum(target.asSlice(0, bytes[block]));
            if (found != expected) {
                throw new OffloadException(String.format(
                        "%s: block %d at byte %d has checksum %08x, %08x was written; the disk has changed it: "
                                + "resume from a checkpoint, on another disk",
                        path, block, positions[block], found, expected));
            }
        });
    }

    private static long checksum(MemorySegment segment) {
        CRC32C sum = new CRC32C();
        for (long from = 0; from < segment.byteSize(); from += CHECKSUM_BYTES) {
            sum.update(segment.asSlice(from, Math.min(CHECKSUM_BYTES, segment.byteSize() - from))
                    .asByteBuffer());
        }
        return sum.getValue();
    }

    /** {@return what the file takes on the disk} */
    public long byteSize() {
        return positions[bytes.length];
    }

    /** {@return whether it passes by the page cache} */
    public boolean isDirect() {
        return file.filter(DirectFile::isDirect).isPresent();
    }

    /** Removes the file. No request may be under way. */
    @Override
    public void close() {
        file.ifPresent(DirectFile::close);
    }
}
