package ds.data;

import java.util.Arrays;

/** One token per byte, and one that ends a document: small models learn from any text without a vocabulary. */
final class ByteTokenizer implements Tokenizer {
    static final String NAME = "byte";

    private static final int END_OF_TEXT = 256;

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
        int[] tokens = new int[utf8.length];
        for (int i = 0; i < tokens.length; i++) {
            tokens[i] = Byte.toUnsignedInt(utf8[i]);
        }
        return tokens;
    }

    @Override
    public byte[] decode(int... tokens) {
        byte[] bytes = new byte[tokens.length];
        int count = 0;
        for (int token : tokens) {
            if (token < 0 || token > END_OF_TEXT) {
                throw new IllegalArgumentException("token " + token + " is not in the vocabulary of " + vocabularySize()
                        + " of tokenizer \"byte\"; decode with the tokenizer that encoded");
            }
            if (token != END_OF_TEXT) {
                bytes[count++] = (byte) token;
            }
        }
        return Arrays.copyOf(bytes, count);
    }
}
