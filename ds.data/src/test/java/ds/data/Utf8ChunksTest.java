package ds.data;

import static ds.data.Faults.assertFault;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Utf8ChunksTest {
    @ParameterizedTest
    @ValueSource(ints = {4, 5, 6, 7, 64, 1000})
    void chunksAreWholeCharactersAndAddUpToTheDocument(int maxBytes) throws IOException {
        String text = "aä€🙂\n\nb 🙂🙂🙂🙂\r\n\u00a0x\n".repeat(7);
        var joined = new ByteArrayOutputStream();
        for (byte[] chunk : chunks(text.getBytes(UTF_8), maxBytes)) {
            assertTrue(chunk.length <= maxBytes);
            joined.writeBytes(chunk); // each was decoded strictly by itself
        }
        assertArrayEquals(text.getBytes(UTF_8), joined.toByteArray());
    }

    @Test
    void tokensOfChunksAreThoseOfTheDocument() throws IOException {
        Tokenizer tokenizer = Tokenizer.named("gpt2");
        var random = new Random(1);
        String[] parts = {
            "foo", " bar", "\n", "\r\n", "\n\n", "  ", "\t", "'s", "12", "ü", "\u00a0", "}", "🙂", "\u3000"
        };
        for (int round = 0; round < 50; round++) {
            var text = new StringBuilder();
            while (text.length() < 400) {
                text.append(parts[random.nextInt(parts.length)]);
                text.append(random.nextInt(6) == 0 ? "\nline" : "");
            }
            byte[] utf8 = text.toString().getBytes(UTF_8);
            var tokens = IntStream.builder();
            List<byte[]> chunks = chunks(utf8, 200);
            assertTrue(chunks.size() > 1);
            for (byte[] chunk : chunks) {
                IntStream.of(tokenizer.encode(chunk)).forEach(tokens);
            }
            assertArrayEquals(tokenizer.encode(utf8), tokens.build().toArray(), "round " + round);
        }
    }

    @Test
    void cutsBeforeALineFeed() throws IOException {
        List<byte[]> chunks = chunks("ab\ncd\nef".getBytes(UTF_8), 7);
        assertEquals("ab\ncd", new String(chunks.getFirst(), UTF_8));
    }

    @Test
    void theFirstBadByteIsNamed() {
        byte[] bytes = "0123456789".repeat(10).getBytes(UTF_8);
        bytes[57] = (byte) 0xe4; // Latin-1 ä
        assertFault(() -> chunks(bytes, 20), "some.txt", "byte 57 (0xe4)", "UTF-8", "globs");
        byte[] cutCharacter = {'a', (byte) 0xe2, (byte) 0x82};
        assertFault(() -> chunks(cutCharacter, 20), "byte 1 (0xe2)");
        byte[] continuations = new byte[30];
        Arrays.fill(continuations, (byte) 0x80);
        assertFault(() -> chunks(continuations, 4), "byte 0 (0x80)");
    }

    private static List<byte[]> chunks(byte[] utf8, int maxBytes) throws IOException {
        var chunks = new Utf8Chunks("some.txt", new ByteArrayInputStream(utf8), new byte[maxBytes]);
        var result = new ArrayList<byte[]>();
        for (byte[] chunk = chunks.next(maxBytes); chunk.length > 0; chunk = chunks.next(maxBytes)) {
            result.add(chunk);
        }
        return result;
    }
}
