package ds.data;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;

/**
 * The tokens of a text, memory-mapped and read-only: document after document, each ended by the end-of-text token. Any thread
 * may use it. Written by {@link TokenFileWriter}.
 */
public final class TokenFile implements AutoCloseable {
    private static final ValueLayout.OfShort TOKEN_16 =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt TOKEN_32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int DECODED_TOKENS = 1 << 16;
    private static final long CHECKED_BYTES = 1 << 30;

    private final Path path;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment payload;
    private final TokenFileHeader header;

    /** How much of a file is checked when it is opened. */
    public enum Check {
        /** The header and the file's length; for files too large to be read once more. */
        HEADER,
        /** Also the checksum of all tokens, and that each is in the vocabulary: reads the whole file. */
        ALL
    }

    private TokenFile(Path path, Check check) throws IOException {
        this.path = path;
        try (var channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment file = channel.map(MapMode.READ_ONLY, 0, channel.size(), arena);
            if (file.byteSize() < TokenFileHeader.BYTES) {
                throw new DataException(path + ": truncated: has " + file.byteSize() + " bytes, and the header takes "
                        + TokenFileHeader.BYTES + "; prepare the text again");
            }
            this.header = TokenFileHeader.decode(
                    path, file.asSlice(0, TokenFileHeader.BYTES).asByteBuffer(), file.byteSize());
            this.payload = file.asSlice(TokenFileHeader.BYTES);
            if (check == Check.ALL) {
                verify();
            }
        } catch (IOException | RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /**
     * {@return the opened file, fully checked; the caller closes it} While it is open, nobody may shorten it: the system ends a
     * process that reads mapped bytes which are gone.
     *
     * @throws DataException if it is missing, no token file, of another version, truncated, or corrupted in any byte
     */
    public static TokenFile open(Path path) {
        return open(path, Check.ALL);
    }

    /**
     * {@return the opened file, checked as far as asked; the caller closes it}
     *
     * @throws DataException as {@link #open(Path)}, as far as it is checked
     */
    public static TokenFile open(Path path, Check check) {
        try {
            return new TokenFile(path, check);
        } catch (IOException e) {
            throw new DataException(
                    path + ": cannot be opened: " + e + "; prepare the text first, or correct the path", e);
        }
    }

    /**
     * Reads the whole file once, at about the speed of memory.
     *
     * @throws DataException if the tokens are not those that were written, or one is not in the vocabulary
     */
    public void verify() {
        var crc = new CRC32C();
        for (long at = 0; at < payload.byteSize(); at += CHECKED_BYTES) {
            long length = Math.min(CHECKED_BYTES, payload.byteSize() - at);
            crc.update(payload.asSlice(at, length).asByteBuffer());
        }
        if (crc.getValue() != header.crc()) {
            throw new DataException(
                    "%s: corrupted: the CRC-32C of its tokens is %08x, stored is %08x; prepare the text again"
                            .formatted(path, crc.getValue(), header.crc()));
        }
        for (long i = 0; i < tokens(); i++) {
            checked(i, token(i));
        }
    }

    /** {@return where it lies} */
    public Path path() {
        return path;
    }

    /** {@return the name of the tokenizer that made it} */
    public String tokenizer() {
        return header.tokenizer();
    }

    /** {@return how many ids its tokenizer has; every token is below} */
    public int vocabularySize() {
        return header.vocabularySize();
    }

    /** {@return the token that ends each document} */
    public int endOfText() {
        return header.endOfText();
    }

    /** {@return how many tokens it has, the ends of documents included} */
    public long tokens() {
        return header.tokens();
    }

    /** {@return how many documents it has} */
    public long documents() {
        return header.documents();
    }

    /**
     * {@return how many bytes of UTF-8 it encodes} The unit that compares tokenizers: bits per byte = mean nats per token ·
     * {@link #tokens} / textBytes / ln 2.
     */
    public long textBytes() {
        return header.textBytes();
    }

    /**
     * {@return one token}
     *
     * @param index in [0, tokens)
     */
    public int token(long index) {
        return header.tokenBytes() == Short.BYTES
                ? Short.toUnsignedInt(payload.get(TOKEN_16, index * Short.BYTES))
                : payload.get(TOKEN_32, index * Integer.BYTES);
    }

    /**
     * Copies tokens, without a buffer between.
     *
     * @param start first token
     * @param count how many
     * @param target I32 in the machine's order; overwritten from element {@code targetIndex} on
     * @throws DataException if a token is not in the vocabulary, in a file opened without {@link Check#ALL}
     * @throws IndexOutOfBoundsException if they leave the file or the target
     */
    public void copy(long start, long count, MemorySegment target, long targetIndex) {
        for (long i = 0; i < count; i++) {
            target.setAtIndex(JAVA_INT, targetIndex + i, checked(start + i, token(start + i)));
        }
    }

    private int checked(long index, int token) {
        if (token < 0 || token >= header.vocabularySize()) {
            throw new DataException(path + ": token " + index + " is " + Integer.toUnsignedString(token)
                    + ", but the vocabulary has " + header.vocabularySize() + " ids; prepare the text again");
        }
        return token;
    }

    /**
     * Refuses a model that cannot look up every token.
     *
     * @param modelVocabulary how many rows the model's embedding has, padding excluded
     * @throws DataException if that is fewer than {@link #vocabularySize}
     */
    public void checkVocabulary(long modelVocabulary) {
        if (modelVocabulary < vocabularySize()) {
            throw new DataException(path + ": tokenizer \"" + tokenizer() + "\" has " + vocabularySize()
                    + " ids, and the model's vocabulary only " + modelVocabulary + "; give the model at least "
                    + vocabularySize() + ", or prepare the text with a smaller tokenizer");
        }
    }

    /**
     * Refuses a file that has not even one window of {@code sequenceLength} inputs and the target after each.
     *
     * @throws DataException if it has fewer than sequenceLength + 1 tokens
     */
    public void checkLength(int sequenceLength) {
        if (tokens() <= sequenceLength) {
            throw new DataException(path + ": has " + tokens() + " tokens, and one sequence of length " + sequenceLength
                    + " needs " + (sequenceLength + 1L) + "; add text, or shorten the sequence");
        }
    }

    /**
     * Writes the text that the tokens stand for: the documents one after the other, {@link #textBytes} in all. This is what a
     * compressor must be given to be compared with a model on the same text.
     *
     * @param tokenizer of the name {@link #tokenizer}
     * @param out borrowed; not closed
     * @throws IOException if {@code out} throws it
     * @throws IllegalArgumentException if the tokenizer is another one
     */
    public void writeText(Tokenizer tokenizer, OutputStream out) throws IOException {
        if (!tokenizer.name().equals(tokenizer())) {
            throw new IllegalArgumentException(path + ": made by tokenizer \"" + tokenizer() + "\", and \""
                    + tokenizer.name() + "\" was given to decode it; give the same");
        }
        for (long start = 0; start < tokens(); start += DECODED_TOKENS) {
            int[] ids = new int[(int) Math.min(DECODED_TOKENS, tokens() - start)];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = checked(start + i, token(start + i));
            }
            out.write(tokenizer.decode(ids));
        }
    }

    /** Unmaps the file. Idempotent. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
