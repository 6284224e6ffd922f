package ds.data;

import static ds.data.Faults.assertFault;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenFileTest {
    private static final Tokenizer BYTE = Tokenizer.named("byte");

    @TempDir
    private Path folder;

    private Path path;

    @BeforeEach
    void name() {
        path = folder.resolve("a.tokens");
    }

    /** Any vocabulary; encodes nothing. */
    private record Vocabulary(String name, int vocabularySize) implements Tokenizer {
        @Override
        public int endOfText() {
            return vocabularySize - 1;
        }

        @Override
        public int[] encode(byte[] utf8) {
            return new int[0];
        }

        @Override
        public byte[] decode(int... tokens) {
            return new byte[0];
        }
    }

    @Test
    void hasTheDocumentedBytes() throws IOException {
        write("hi", "ä");
        ByteBuffer expected = ByteBuffer.allocate(128 + 12).order(ByteOrder.LITTLE_ENDIAN);
        for (int token : new int[] {'h', 'i', 256, 0xc3, 0xa4, 256}) {
            expected.putShort(128 + expected.position(), (short) token).position(expected.position() + 2);
        }
        expected.clear()
                .put("DSTOKENS".getBytes(UTF_8))
                .putInt(1)
                .putInt(2)
                .putInt(257)
                .putInt(256);
        expected.putLong(crc(expected.slice(128, 12)))
                .putLong(6)
                .putLong(2)
                .putLong(4)
                .put("byte".getBytes(UTF_8));
        expected.putInt(124, (int) crc(expected.slice(0, 124)));
        assertArrayEquals(expected.array(), Files.readAllBytes(path));
    }

    @Test
    void opensWhatWasWritten() throws IOException {
        write("hi", "ä");
        try (var file = TokenFile.open(path)) {
            assertEquals("byte", file.tokenizer());
            assertEquals(257, file.vocabularySize());
            assertEquals(256, file.endOfText());
            assertEquals(6, file.tokens());
            assertEquals(2, file.documents());
            assertEquals(4, file.textBytes());
            assertArrayEquals(new int[] {'h', 'i', 256, 0xc3, 0xa4, 256}, tokens(file));
            var text = new ByteArrayOutputStream();
            file.writeText(BYTE, text);
            assertEquals("hiä", text.toString(UTF_8));
            assertThrows(IllegalArgumentException.class, () -> file.writeText(new Vocabulary("other", 257), text));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 65536, 65537, Integer.MAX_VALUE})
    void everyWidthHoldsItsLargestId(int vocabulary) throws IOException {
        try (var writer = TokenFileWriter.open(path, new Vocabulary("v", vocabulary))) {
            writer.append(new int[] {0, vocabulary - 1, 1}, 5);
            writer.commit();
        }
        assertEquals(128 + 3 * (vocabulary <= 65536 ? 2 : 4), Files.size(path));
        try (var file = TokenFile.open(path)) {
            assertArrayEquals(new int[] {0, vocabulary - 1, 1}, tokens(file));
        }
    }

    @Test
    void manyTokensPassTheBuffer() {
        int[] ids = IntStream.range(0, 1_300_000).map(i -> i * 7 % 257).toArray();
        try (var writer = TokenFileWriter.open(path, BYTE)) {
            writer.append(ids, ids.length);
            assertEquals(ids.length, writer.tokens());
            writer.commit();
        }
        try (var file = TokenFile.open(path)) {
            assertArrayEquals(ids, tokens(file));
        }
    }

    @Test
    void anyDamagedByteIsFound() throws IOException {
        write("hi", "ä");
        byte[] whole = Files.readAllBytes(path);
        for (int i = 0; i < whole.length; i++) {
            byte[] damaged = whole.clone();
            damaged[i] ^= 0x10;
            Files.write(path, damaged);
            assertFault(
                    () -> TokenFile.open(path).close(),
                    path.toString(),
                    i < 8 ? "DSTOKENS" : i < 12 ? "version" : "corrupted",
                    "prepare");
        }
    }

    @Test
    void anyTruncationIsFoundByTheHeaderAlone() throws IOException {
        write("hi", "ä");
        byte[] whole = Files.readAllBytes(path);
        for (int size = 0; size < whole.length; size++) {
            Files.write(path, Arrays.copyOf(whole, size));
            assertFault(
                    () -> TokenFile.open(path, TokenFile.Check.HEADER).close(), "truncated", "has " + size + " bytes");
        }
        Files.write(path, Arrays.copyOf(whole, whole.length + 1));
        assertFault(() -> TokenFile.open(path, TokenFile.Check.HEADER).close(), "corrupted", "6 tokens");
    }

    @Test
    void otherFilesAreRefused() throws IOException {
        Files.writeString(path, "#!/bin/sh\n".repeat(20));
        assertFault(() -> TokenFile.open(path).close(), "#!/bin/s", "no token file");
        assertFault(() -> TokenFile.open(folder.resolve("no")).close(), "NoSuchFile", "prepare");
    }

    @Test
    void aTokenOutsideTheVocabularyIsNamed() throws IOException {
        craft(257, 2, 'h', 257);
        assertFault(() -> TokenFile.open(path).close(), "token 1 is 257", "257 ids");
        craft(70000, 4, 3, -1);
        assertFault(() -> TokenFile.open(path).close(), "token 1 is 4294967295", "70000 ids");
        try (var arena = Arena.ofConfined();
                var file = TokenFile.open(path, TokenFile.Check.HEADER)) {
            assertFault(() -> file.copy(0, 2, arena.allocate(8), 0), "token 1 is 4294967295");
        }
    }

    @Test
    void aHeaderThatContradictsItselfIsRefused() throws IOException {
        craft(257, 4, 'h', 'i');
        assertFault(() -> TokenFile.open(path).close(), "contradicts itself", "4 bytes per token");
        craft(0, 2, 0, 0);
        assertFault(() -> TokenFile.open(path).close(), "contradicts itself", "vocabularySize=0");
    }

    @Test
    void copyFillsInTheMachinesOrder() throws IOException {
        write("hello");
        try (var arena = Arena.ofConfined();
                var file = TokenFile.open(path)) {
            MemorySegment target = arena.allocate(JAVA_INT, 5);
            file.copy(1, 3, target, 2);
            assertArrayEquals(new int[] {0, 0, 'e', 'l', 'l'}, target.toArray(JAVA_INT));
            assertThrows(IndexOutOfBoundsException.class, () -> file.copy(4, 3, target, 0));
        }
    }

    @Test
    void aModelWithTooSmallAVocabularyIsRefused() throws IOException {
        write("hello");
        try (var file = TokenFile.open(path)) {
            file.checkVocabulary(257);
            assertFault(() -> file.checkVocabulary(256), path.toString(), "\"byte\"", "257", "256", "prepare");
        }
    }

    @Test
    void aFileShorterThanASequenceIsRefused() throws IOException {
        write("hello");
        try (var file = TokenFile.open(path)) {
            file.checkLength(5);
            assertFault(() -> file.checkLength(6), path.toString(), "has 6 tokens", "length 6 needs 7");
        }
    }

    @Test
    void theWriterRefusesIdsOutsideTheVocabulary() throws IOException {
        Files.writeString(path, "old");
        try (var writer = TokenFileWriter.open(path, BYTE)) {
            for (int id : new int[] {-1, 257}) {
                String message = assertThrows(IllegalArgumentException.class, () -> writer.append(new int[] {id}, 1))
                        .getMessage();
                assertTrue(message.contains("is " + id) && message.contains("257"), message);
            }
        }
        assertEquals("old", Files.readString(path), "nothing was committed");
        assertEquals(1, folder.toFile().list().length);
        assertThrows(
                IllegalArgumentException.class, () -> TokenFileWriter.open(path, new Vocabulary("v".repeat(65), 9)));
    }

    private void write(String... documents) throws IOException {
        try (var writer = TokenFileWriter.open(path, BYTE)) {
            for (String document : documents) {
                int[] ids = BYTE.encode(document);
                writer.append(ids, ids.length);
                writer.endDocument();
            }
            writer.commit();
        }
    }

    /** A file whose checksums are right, whatever its two tokens are. */
    private void craft(int vocabulary, int tokenBytes, int first, int second) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(128 + 2 * tokenBytes).order(ByteOrder.LITTLE_ENDIAN);
        buffer.put("DSTOKENS".getBytes(UTF_8))
                .putInt(1)
                .putInt(tokenBytes)
                .putInt(vocabulary)
                .putInt(0);
        if (tokenBytes == 2) {
            buffer.putShort(128, (short) first).putShort(130, (short) second);
        } else {
            buffer.putInt(128, first).putInt(132, second);
        }
        buffer.putLong(crc(buffer.slice(128, 2 * tokenBytes)))
                .putLong(2)
                .putLong(1)
                .putLong(2);
        buffer.putInt(124, (int) crc(buffer.slice(0, 124)));
        Files.write(path, buffer.array());
    }

    private static long crc(ByteBuffer bytes) {
        var crc = new CRC32C();
        crc.update(bytes);
        return crc.getValue();
    }

    private static int[] tokens(TokenFile file) {
        return IntStream.range(0, (int) file.tokens()).map(file::token).toArray();
    }
}
