package ds.data;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * Writes one token file in a single pass. It appears under its name only by {@link #commit}, complete and on the device; until
 * then, and if anything fails, what was there stays. One thread at a time.
 */
public final class TokenFileWriter implements AutoCloseable {
    private static final int BUFFER_BYTES = 1 << 20;

    private final Path path;
    private final Tokenizer tokenizer;
    private final int tokenBytes;
    private final PendingFile file;
    private final CRC32C crc = new CRC32C();
    private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private long position = TokenFileHeader.BYTES;
    private long tokens;
    private long documents;
    private long textBytes;

    private TokenFileWriter(Path path, Tokenizer tokenizer) {
        this.path = path;
        this.tokenizer = tokenizer;
        this.tokenBytes = TokenFileHeader.tokenBytes(tokenizer.vocabularySize());
        this.file = PendingFile.create(path);
    }

    /**
     * {@return a writer without tokens; the caller closes it, after {@link #commit} if the file shall appear}
     *
     * @param path the final name; its folder exists; {@code NAME.tmp} beside it is used meanwhile
     * @param tokenizer whose name, vocabulary and end of text the file records
     * @throws DataException if the disk refuses
     * @throws IllegalArgumentException if the tokenizer's name is longer than 64 bytes
     */
    public static TokenFileWriter open(Path path, Tokenizer tokenizer) {
        if (tokenizer.name().getBytes(UTF_8).length > TokenFileHeader.NAME_BYTES) {
            throw new IllegalArgumentException("tokenizer name \"" + tokenizer.name() + "\" takes more than "
                    + TokenFileHeader.NAME_BYTES + " bytes; shorten it");
        }
        return new TokenFileWriter(path, tokenizer);
    }

    /**
     * Adds tokens to the current document.
     *
     * @param ids each in [0, vocabulary size)
     * @param encodedBytes how many bytes of text they encode; summed up in {@link TokenFile#textBytes}
     * @throws DataException if the disk refuses
     * @throws IllegalArgumentException if an id is not in the vocabulary
     */
    public void append(int[] ids, long encodedBytes) {
        for (int id : ids) {
            put(id);
        }
        textBytes += encodedBytes;
    }

    /**
     * Ends the current document by the tokenizer's end of text.
     *
     * @throws DataException if the disk refuses
     */
    public void endDocument() {
        put(tokenizer.endOfText());
        documents++;
    }

    /** {@return how many tokens there are so far} */
    public long tokens() {
        return tokens;
    }

    private void put(int id) {
        if (id < 0 || id >= tokenizer.vocabularySize()) {
            throw new IllegalArgumentException(path + ": token " + tokens + " is " + id + ", not in the vocabulary of "
                    + tokenizer.vocabularySize() + "; pass ids of tokenizer \"" + tokenizer.name() + "\"");
        }
        if (!buffer.hasRemaining()) {
            flush();
        }
        if (tokenBytes == Short.BYTES) {
            buffer.putShort((short) id);
        } else {
            buffer.putInt(id);
        }
        tokens++;
    }

    private void flush() {
        buffer.flip();
        file.write(MemorySegment.ofBuffer(buffer), position);
        position += buffer.limit();
        crc.update(buffer);
        buffer.clear();
    }

    /**
     * Forces the file to the device and gives it its name, replacing what was there, in one step.
     *
     * @throws DataException if the disk refuses
     */
    public void commit() {
        flush();
        var header = new TokenFileHeader(
                tokenizer.name(),
                tokenizer.vocabularySize(),
                tokenizer.endOfText(),
                tokens,
                documents,
                textBytes,
                crc.getValue());
        file.write(MemorySegment.ofArray(header.encode()), 0);
        file.commit();
    }

    /** Ends writing; without {@link #commit} before, nothing remains of it. */
    @Override
    public void close() {
        file.close();
    }
}
