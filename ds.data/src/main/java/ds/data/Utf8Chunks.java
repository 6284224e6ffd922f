package ds.data;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/**
 * One document in chunks that can be encoded one by one: memory stays bounded for files of any size.
 *
 * <p>A chunk ends before a line feed that a visible ASCII character follows. GPT-2's pattern, in which {@code \s+(?!\S)} comes
 * before {@code \s+}, splits the text at that place as well, so the tokens are those of the whole document. Where a chunk has
 * no such line feed it ends between two characters, and a word there may be encoded as two.
 */
final class Utf8Chunks {
    /** The smallest chunk that can hold any character. */
    static final int MIN_BYTES = 4;

    private final String name;
    private final InputStream in;
    private final byte[] buffer;
    private int filled;
    private long offset;

    /** Borrows the stream, and a buffer for the largest chunk. */
    Utf8Chunks(String name, InputStream in, byte[] buffer) {
        this.name = name;
        this.in = in;
        this.buffer = buffer;
    }

    /**
     * {@return the next chunk; empty at the end of the document}
     *
     * @param maxBytes from {@link #MIN_BYTES} to the buffer's length
     * @throws DataException if the chunk is not UTF-8
     */
    byte[] next(int maxBytes) throws IOException {
        if (filled < maxBytes) {
            filled += in.readNBytes(buffer, filled, maxBytes - filled);
        }
        int cut = filled < maxBytes ? filled : cut(maxBytes);
        byte[] chunk = Arrays.copyOf(buffer, cut);
        System.arraycopy(buffer, cut, buffer, 0, filled - cut);
        filled -= cut;
        Utf8.decode(chunk, name, offset);
        offset += cut;
        return chunk;
    }

    private int cut(int end) {
        for (int i = end - 2; i > 0; i--) {
            if (buffer[i] == '\n' && buffer[i + 1] > ' ' && buffer[i + 1] < 0x7f) {
                return i;
            }
        }
        // Bytes 10xxxxxx continue a character. The byte after the chunk is unknown, so the last character stays behind.
        int last = end - 1;
        while (last > Math.max(0, end - MIN_BYTES) && (buffer[last] & 0xc0) == 0x80) {
            last--;
        }
        return last > 0 ? last : end;
    }
}
