package ds.data;

import static ds.data.Faults.assertFault;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
    @ParameterizedTest
    @ValueSource(strings = {"byte", "gpt2"})
    void decodingGivesTheTextBack(String name) {
        Tokenizer tokenizer = Tokenizer.named(name);
        assertEquals(name, tokenizer.name());
        for (String text :
                new String[] {"", "a", " \t\r\n\n  x", "Straße 日本語 🙂 ', don't", "<|endoftext|>", "\0\u0001"}) {
            int[] tokens = tokenizer.encode(text);
            assertTrue(Arrays.stream(tokens).allMatch(id -> id >= 0 && id < tokenizer.vocabularySize()));
            assertTrue(Arrays.stream(tokens).noneMatch(id -> id == tokenizer.endOfText()), text);
            assertEquals(text, tokenizer.decodeToString(tokens));
            assertArrayEquals(text.getBytes(UTF_8), tokenizer.decode(tokens));
        }
        assertEquals("", tokenizer.decodeToString(tokenizer.endOfText()));
    }

    @Test
    void bytesAreTheirOwnIds() {
        Tokenizer tokenizer = Tokenizer.named("byte");
        assertEquals(257, tokenizer.vocabularySize());
        assertEquals(256, tokenizer.endOfText());
        assertArrayEquals(new int[] {0x61, 0xc3, 0xa4}, tokenizer.encode("aä"));
    }

    @Test
    void gpt2GivesThePublishedIds() {
        Tokenizer tokenizer = Tokenizer.named("gpt2");
        assertEquals(50257, tokenizer.vocabularySize());
        assertEquals(50256, tokenizer.endOfText());
        assertArrayEquals(new int[] {15496, 995}, tokenizer.encode("Hello world"));
        assertArrayEquals(new int[] {198, 198, 87}, tokenizer.encode("\n\nx"));
        assertArrayEquals(new int[] {15496}, tokenizer.encode("Hello".getBytes(UTF_8)));
    }

    @Test
    void gpt2RefusesWhatIsNotUtf8() {
        byte[] bytes = {'a', (byte) 0xff, 'b'};
        assertFault(() -> Tokenizer.named("gpt2").encode(bytes), "byte 1 (0xff)", "UTF-8");
    }

    @ParameterizedTest
    @ValueSource(strings = {"byte", "gpt2"})
    void anIdOutsideTheVocabularyIsNamed(String name) {
        Tokenizer tokenizer = Tokenizer.named(name);
        for (int id : new int[] {-1, tokenizer.vocabularySize()}) {
            String message = assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(0, id))
                    .getMessage();
            assertTrue(message.contains("token " + id) && message.contains("" + tokenizer.vocabularySize()), message);
        }
    }

    @Test
    void anUnknownNameIsAnsweredWithTheKnownOnes() {
        assertFault(() -> Tokenizer.named("bpe"), "tokenizer = bpe", "[byte, gpt2]");
    }
}
