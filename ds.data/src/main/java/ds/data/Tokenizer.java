package ds.data;

import static java.nio.charset.StandardCharsets.UTF_8;

/**
 * Text to token ids and back. Decoding what was encoded gives the same bytes. Implementations are immutable: any thread may use
 * one. The built-in ones come by {@link #named}.
 */
public interface Tokenizer {
    /**
     * {@return the built-in tokenizer of that name} {@code "byte"}: one token per byte, 257 ids. {@code "gpt2"}: the byte-pair
     * encoding of GPT-2, 50257 ids; its vocabulary is loaded by this call.
     *
     * @throws DataException if there is none of that name
     */
    static Tokenizer named(String name) {
        return switch (name) {
            case ByteTokenizer.NAME -> new ByteTokenizer();
            case Gpt2Tokenizer.NAME -> new Gpt2Tokenizer();
            default ->
                throw new DataException("tokenizer = " + name + ": no such tokenizer; use one of [" + ByteTokenizer.NAME
                        + ", " + Gpt2Tokenizer.NAME + "]");
        };
    }

    /** {@return the name that a token file records; at most 64 bytes of UTF-8} */
    String name();

    /** {@return how many ids there are: every id lies in [0, vocabularySize)} */
    int vocabularySize();

    /** {@return the id that ends a document; never the result of encoding text} */
    int endOfText();

    /**
     * {@return the ids of this text}
     *
     * @param utf8 valid UTF-8
     * @throws DataException if it is not
     */
    int[] encode(byte[] utf8);

    /** {@return the ids of this text} */
    default int[] encode(String text) {
        return encode(text.getBytes(UTF_8));
    }

    /**
     * {@return the bytes that these ids stand for; nothing for {@link #endOfText}} A character may be spread over several ids:
     * the bytes of some of them need not be valid UTF-8.
     *
     * @throws IllegalArgumentException if an id is not in the vocabulary
     */
    byte[] decode(int... tokens);

    /** {@return the text that these ids stand for, with U+FFFD for what is not valid UTF-8} */
    default String decodeToString(int... tokens) {
        return new String(decode(tokens), UTF_8);
    }
}
