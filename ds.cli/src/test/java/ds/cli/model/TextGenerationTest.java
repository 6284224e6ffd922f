package ds.cli.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.models.gpt.GptConfig;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class TextGenerationTest {
    private static GptConfig vocabulary(long size) {
        return GptConfig.of(size, 8, 1, 4, 1);
    }

    @Test
    void vocabularyTellsTheTokenizer() {
        assertEquals(
                "byte",
                TextGeneration.tokenizerOf(vocabulary(257), Optional.empty()).name());
        assertEquals(
                "gpt2",
                TextGeneration.tokenizerOf(vocabulary(50257), Optional.empty()).name());
    }

    @Test
    void paddedVocabularyNeedsTheName() {
        var e = assertThrows(
                IllegalArgumentException.class, () -> TextGeneration.tokenizerOf(vocabulary(320), Optional.empty()));
        assertTrue(e.getMessage().contains("--tokenizer"), e.getMessage());
        assertEquals(
                "byte",
                TextGeneration.tokenizerOf(vocabulary(320), Optional.of("byte")).name());
    }

    @Test
    void tokenizerMustFitTheModel() {
        var e = assertThrows(
                IllegalArgumentException.class, () -> TextGeneration.tokenizerOf(vocabulary(257), Optional.of("gpt2")));
        assertTrue(e.getMessage().contains("50257"), e.getMessage());
    }
}
