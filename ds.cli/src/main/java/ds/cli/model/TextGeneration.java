package ds.cli.model;

import ds.data.Tokenizer;
import ds.models.gpt.Generator;
import ds.models.gpt.GptConfig;
import ds.models.gpt.Sampling;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Continues text, which comes out as it is drawn.
 *
 * @param tokenizer of the model
 * @param generator borrowed
 */
public record TextGeneration(Tokenizer tokenizer, Generator generator) {
    /**
     * {@return the tokenizer of a model}
     *
     * @param name of the tokenizer; if empty, the size of the vocabulary tells
     * @throws IllegalArgumentException if it does not, or if the model has fewer tokens than the tokenizer
     */
    public static Tokenizer tokenizerOf(GptConfig config, Optional<String> name) {
        Tokenizer tokenizer = Tokenizer.named(name.orElseGet(() -> nameOf(config.vocabulary())));
        if (config.vocabulary() < tokenizer.vocabularySize()) {
            throw new IllegalArgumentException("tokenizer = " + tokenizer.name() + " has " + tokenizer.vocabularySize()
                    + " tokens, and the model only " + config.vocabulary()
                    + "; name the tokenizer that it was trained with");
        }
        return tokenizer;
    }

    private static String nameOf(long vocabulary) {
        if (vocabulary == 257) {
            return "byte";
        }
        if (vocabulary == GptConfig.GPT2_VOCABULARY) {
            return "gpt2";
        }
        throw new IllegalArgumentException("the model's vocabulary of " + vocabulary
                + " is neither that of byte (257) nor that of gpt2 (50257); name the tokenizer with --tokenizer");
    }

    /**
     * Draws tokens until there are enough or the text ends.
     *
     * @param prompt what to continue; if empty, a new text is begun
     * @param most tokens to draw
     * @param out gets the text in pieces, each of whole characters
     * @return how many tokens were drawn
     */
    public int run(String prompt, int most, Sampling sampling, Consumer<String> out) {
        int[] tokens = prompt.isEmpty() ? new int[] {tokenizer.endOfText()} : tokenizer.encode(prompt);
        var characters = new Utf8Pieces(out);
        int[] drawn = generator.generate(tokens, most, sampling, token -> {
            if (token == tokenizer.endOfText()) {
                return false;
            }
            characters.append(tokenizer.decode(token));
            return true;
        });
        characters.end();
        return drawn.length;
    }
}
