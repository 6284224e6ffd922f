package ds.data;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CodingErrorAction;

/** Strict decoding: an error instead of replacement characters, which would be trained on. */
final class Utf8 {
    private Utf8() {}

    /**
     * {@return the text of these bytes}
     *
     * @param where file or document, for the message
     * @param offset of the first byte in it, for the message
     * @throws DataException if they are not UTF-8; names the first bad byte
     */
    static String decode(byte[] bytes, String where, long offset) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        CharBuffer out = CharBuffer.allocate(bytes.length); // UTF-16 never has more units than UTF-8 has bytes
        var result = UTF_8.newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT)
                .decode(in, out, true);
        if (result.isError()) {
            throw new DataException(
                    "%s: byte %d (0x%02x) is not UTF-8; convert the file, or leave it out by include globs"
                            .formatted(where, offset + in.position(), bytes[in.position()]));
        }
        return out.flip().toString();
    }
}
