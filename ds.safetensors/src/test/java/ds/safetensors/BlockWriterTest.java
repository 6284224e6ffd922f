package ds.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class BlockWriterTest {
    private static final int BLOCK = BlockWriter.BLOCK_BYTES;

    @TempDir
    private Path folder;

    /** More blocks than there are buffers, an end within one, chunks that end on, before and behind their edges. */
    @ParameterizedTest
    @ValueSource(ints = {BLOCK, BLOCK / 2, BLOCK - 1, 3 * BLOCK + 17, 123_457})
    void whatIsWrittenInOrderIsInTheFile(int chunk) throws IOException {
        byte[] bytes = random(9 * BLOCK + 4711);
        Path file = folder.resolve("file");
        try (FileChannel channel = create(file);
                BlockWriter writer = new BlockWriter(file, channel)) {
            for (int at = 0; at < bytes.length; at += chunk) {
                write(writer, bytes, at, Math.min(chunk, bytes.length - at));
            }
            writer.finish();
        }
        assertArrayEquals(bytes, Files.readAllBytes(file));
    }

    /** Two tensors written in turns, and a third before both. */
    @Test
    void whatIsWrittenOutOfOrderIsInTheFile() throws IOException {
        byte[] bytes = random(7 * BLOCK + 99);
        int first = 1234;
        int second = 2 * BLOCK + 3 * BLOCK / 2;
        Path file = folder.resolve("file");
        try (FileChannel channel = create(file);
                BlockWriter writer = new BlockWriter(file, channel)) {
            int chunk = BLOCK + 8191;
            for (int done = 0; first + done < second || second + done < bytes.length; done += chunk) {
                write(writer, bytes, first + done, Math.clamp(second - first - done, 0, chunk));
                write(writer, bytes, second + done, Math.clamp(bytes.length - second - done, 0, chunk));
            }
            write(writer, bytes, 0, first);
            writer.finish();
        }
        assertArrayEquals(bytes, Files.readAllBytes(file));
    }

    @Test
    void aFailureIsThrownByLaterCalls() throws IOException {
        Path full = Path.of("/dev/full");
        assumeTrue(Files.exists(full), "Linux's device that is always full");
        try (FileChannel channel = FileChannel.open(full, StandardOpenOption.WRITE);
                BlockWriter writer = new BlockWriter(full, channel)) {
            byte[] bytes = random(BLOCK);
            write(writer, bytes, 0, BLOCK);
            IOException first = assertThrows(IOException.class, writer::finish);
            assertTrue(first.getMessage().contains("No space left"), first.toString());
            assertThrows(IOException.class, () -> writer.write(MemorySegment.ofArray(bytes), BLOCK));
            assertThrows(IOException.class, writer::finish);
        }
    }

    private static FileChannel create(Path file) throws IOException {
        return FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    }

    private static byte[] random(int count) {
        byte[] bytes = new byte[count];
        new Random(count).nextBytes(bytes);
        return bytes;
    }

    private static void write(BlockWriter writer, byte[] bytes, int at, int count) throws IOException {
        writer.write(MemorySegment.ofArray(Arrays.copyOfRange(bytes, at, at + count)), at);
    }
}
