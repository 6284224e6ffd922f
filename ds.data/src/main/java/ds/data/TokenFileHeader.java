package ds.data;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * The first {@value #BYTES} bytes of a token file, little-endian:
 *
 * <pre>
 *   0  8 bytes  "DSTOKENS"          32  int64  tokens
 *   8  int32    version, 1          40  int64  documents
 *  12  int32    bytes per token     48  int64  bytes of text
 *  16  int32    vocabulary size     56  64 bytes  tokenizer's name, UTF-8, filled with 0
 *  20  int32    end-of-text id     120  int32  0
 *  24  int64    CRC-32C of tokens  124  int32  CRC-32C of bytes 0 to 123
 * </pre>
 *
 * The tokens follow, each an unsigned little-endian integer of 2 bytes, or of 4 for a vocabulary above 65536.
 */
record TokenFileHeader(
        String tokenizer, int vocabularySize, int endOfText, long tokens, long documents, long textBytes, long crc) {
    static final int BYTES = 128;
    static final int NAME_BYTES = 64;

    private static final byte[] MAGIC = "DSTOKENS".getBytes(UTF_8);
    private static final int VERSION = 1;
    private static final int NAME_OFFSET = 56;
    private static final int CRC_OFFSET = 124;

    /** {@return 2 or 4} */
    static int tokenBytes(int vocabularySize) {
        return vocabularySize <= 1 << Short.SIZE ? Short.BYTES : Integer.BYTES;
    }

    int tokenBytes() {
        return tokenBytes(vocabularySize);
    }

    long fileBytes() {
        return BYTES + tokens * tokenBytes();
    }

    byte[] encode() {
        ByteBuffer buffer = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
        buffer.put(MAGIC)
                .putInt(VERSION)
                .putInt(tokenBytes())
                .putInt(vocabularySize)
                .putInt(endOfText);
        buffer.putLong(crc)
                .putLong(tokens)
                .putLong(documents)
                .putLong(textBytes)
                .put(tokenizer.getBytes(UTF_8));
        buffer.putInt(CRC_OFFSET, crc(buffer));
        return buffer.array();
    }

    /**
     * {@return the header}
     *
     * @param buffer the first {@link #BYTES} bytes of the file
     * @param fileBytes how long the file is
     * @throws DataException if this is no token file, of another version, damaged or not of the length that it states
     */
    static TokenFileHeader decode(Path path, ByteBuffer buffer, long fileBytes) {
        buffer.order(ByteOrder.LITTLE_ENDIAN);
        byte[] magic = new byte[MAGIC.length];
        buffer.get(0, magic);
        if (!Arrays.equals(magic, MAGIC)) {
            throw new DataException(path + ": begins with \"" + new String(magic, UTF_8)
                    + "\", not with \"DSTOKENS\": this is no token file; prepare the text first");
        }
        if (buffer.getInt(8) != VERSION) {
            throw new DataException(path + ": token file of version " + buffer.getInt(8) + ", and this program reads "
                    + VERSION + "; prepare the text again");
        }
        if (buffer.getInt(CRC_OFFSET) != crc(buffer)) {
            throw new DataException(
                    "%s: corrupted: the header's CRC-32C is %08x, stored is %08x; prepare the text again"
                            .formatted(path, crc(buffer), buffer.getInt(CRC_OFFSET)));
        }
        byte[] name = new byte[NAME_BYTES];
        buffer.get(NAME_OFFSET, name);
        var header = new TokenFileHeader(
                new String(name, UTF_8).replace("\0", ""),
                buffer.getInt(16),
                buffer.getInt(20),
                buffer.getLong(32),
                buffer.getLong(40),
                buffer.getLong(48),
                buffer.getLong(24));
        header.check(path, buffer.getInt(12), fileBytes);
        return header;
    }

    private void check(Path path, int storedTokenBytes, long fileBytes) {
        boolean idsFit = vocabularySize > 0 && endOfText >= 0 && endOfText < vocabularySize;
        if (!idsFit || storedTokenBytes != tokenBytes() || tokens < 0 || tokens > Long.MAX_VALUE / Long.BYTES) {
            throw new DataException(path + ": the header contradicts itself: " + this + " with " + storedTokenBytes
                    + " bytes per token; prepare the text again");
        }
        if (fileBytes != fileBytes()) {
            throw new DataException(path + ": " + (fileBytes < fileBytes() ? "truncated" : "corrupted") + ": has "
                    + fileBytes + " bytes, but its " + tokens + " tokens take " + fileBytes()
                    + "; prepare the text again");
        }
    }

    private static int crc(ByteBuffer buffer) {
        var crc = new CRC32C();
        crc.update(buffer.slice(0, CRC_OFFSET));
        return (int) crc.getValue();
    }
}
