package ds.data;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.EncodingType;
import com.knuddels.jtokkit.api.IntArrayList;

/**
 * GPT-2's byte-pair encoding (Radford et al. 2019, section 2.2), by jtokkit, which ships the vocabulary. The text
 * {@code <|endoftext|>} inside a document is encoded as the characters that it is, never as the special token.
 */
final class Gpt2Tokenizer implements Tokenizer {
    static final String NAME = "gpt2";

    private static final int END_OF_TEXT = 50256;

    private final Encoding encoding = Encodings.newLazyEncodingRegistry().getEncoding(EncodingType.R50K_BASE);

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int vocabularySize() {
        return END_OF_TEXT + 1;
    }

    @Override
    public int endOfText() {
        return END_OF_TEXT;
    }

    @Override
    public int[] encode(byte[] utf8) {
        return encoding.encodeOrdinary(Utf8.decode(utf8, "text for tokenizer \"gpt2\"", 0))
                .toArray();
    }

    @Override
    public byte[] decode(int... tokens) {
        var list = new IntArrayList(tokens.length);
        for (int token : tokens) {
            if (token < 0 || token > END_OF_TEXT) {
                throw new IllegalArgumentException("token " + token + " is not in the vocabulary of " + vocabularySize()
                        + " of tokenizer \"gpt2\"; decode with the tokenizer that encoded");
            }
            if (token != END_OF_TEXT) {
                list.add(token);
            }
        }
        return encoding.decodeBytes(list);
    }
}
