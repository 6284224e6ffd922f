package ds.zero.offload;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.zero.offload.SwapThreads.Ticket;
import ds.zero.run.SwapTraffic;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SwapFileTest {
    private static final long[] SIZES = {4096, 1, 10_000, 3 * 4096 + 8, 5_000_000};

    @TempDir
    private Path folder;

    private final Arena arena = Arena.ofShared();
    private final SwapThreads threads = new SwapThreads(3);
    private Path path;
    private SwapFile file;

    @BeforeEach
    void open() {
        path = folder.resolve("rank-0").resolve("states.swap");
        file = new SwapFile(path, threads, SIZES);
    }

    @AfterEach
    void close() {
        file.close();
        threads.close();
        arena.close();
        assertFalse(Files.exists(path), "nothing is left behind");
    }

    private MemorySegment block(int block, int seed) {
        MemorySegment memory = SwapFile.allocate(arena, SIZES[block]);
        for (long i = 0; i < SIZES[block]; i++) {
            memory.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31 + seed));
        }
        return memory;
    }

    private MemorySegment read(int block) {
        MemorySegment memory = SwapFile.allocate(arena, SIZES[block]);
        file.read(block, memory).await();
        return memory.asSlice(0, SIZES[block]);
    }

    @Test
    void blocksComeBackAsTheyWereWrittenLast() {
        for (int round = 0; round < 2; round++) {
            List<Ticket> tickets = new ArrayList<>();
            for (int block = 0; block < SIZES.length; block++) {
                tickets.add(file.write(block, block(block, block + 7 * round)));
            }
            tickets.forEach(Ticket::await);
            for (int block = 0; block < SIZES.length; block++) {
                MemorySegment expected = block(block, block + 7 * round).asSlice(0, SIZES[block]);
                assertEquals(-1, expected.mismatch(read(block)), "block " + block);
            }
        }
    }

    @Test
    void blockNeverWrittenIsZero() {
        assertEquals(-1, arena.allocate(SIZES[2]).mismatch(read(2)));
    }

    @Test
    void flippedBitIsFoundBeforeTheBlockIsUsed() throws IOException {
        file.write(3, block(3, 1)).await();
        long at = 4096 + 4096 + 3 * 4096 + 12_000; // behind the first three blocks, padded
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer one = ByteBuffer.allocate(1);
            channel.read(one, at);
            channel.write(ByteBuffer.wrap(new byte[] {(byte) (one.get(0) ^ 4)}), at);
        }
        var e = assertThrows(OffloadException.class, () -> read(3));
        assertTrue(e.getMessage().contains("states.swap: block 3"), e.getMessage());
    }

    @Test
    void shortFileIsNamed() throws IOException {
        file.write(4, block(4, 1)).await();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.truncate(channel.size() - 100_000);
        }
        var e = assertThrows(OffloadException.class, () -> read(4));
        assertTrue(e.getMessage().contains("it was cut"), e.getMessage());
    }

    @Test
    void moreThanTheDiskHasIsRefusedAtOnce() {
        Path other = folder.resolve("large.swap");
        var e = assertThrows(
                OffloadException.class, () -> new SwapFile(other, threads, new long[] {Long.MAX_VALUE / 4}));
        assertTrue(e.getMessage().contains("the disk has"), e.getMessage());
        assertFalse(Files.exists(other));
    }

    @Test
    void folderThatCannotBeMadeIsNamed() throws IOException {
        Path taken = Files.writeString(folder.resolve("taken"), "a file");
        var e = assertThrows(
                OffloadException.class, () -> new SwapFile(taken.resolve("a.swap"), threads, new long[] {1}));
        assertTrue(e.getMessage().contains("nvme_path"), e.getMessage());
    }

    /** Temporary folders may lie in memory; the folder in which the tests run mostly does not. */
    @Test
    void diskIsReadPastThePageCache() throws IOException {
        String type = Files.getFileStore(Path.of("target")).type();
        assumeTrue(Set.of("ext4", "xfs", "btrfs", "overlay").contains(type), type + " may have no direct I/O");
        try (SwapFile onDisk = new SwapFile(Path.of("target", "direct.swap"), threads, new long[] {1})) {
            assertTrue(onDisk.isDirect());
        }
    }

    @Test
    void whatIsMovedIsCounted() {
        file.write(2, block(2, 1)).await();
        read(2);
        assertEquals(new SwapTraffic(1, 3 * 4096, 1, 3 * 4096), threads.traffic());
    }
}
