package ds.cli.model;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** Bytes to text, piece by piece: a character that is cut by the end of a piece waits for the next one. */
final class Utf8Pieces {
    private static final int LONGEST_CHARACTER = 4;

    private final CharsetDecoder decoder = StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
    private final Consumer<String> out;
    private byte[] waiting = {};

    /** Passes whole characters to {@code out}; U+FFFD for what is not UTF-8. */
    Utf8Pieces(Consumer<String> out) {
        this.out = out;
    }

    void append(byte[] piece) {
        decode(piece, false);
    }

    /** Passes on what is left, although it is no whole character. */
    void end() {
        decode(new byte[0], true);
    }

    private void decode(byte[] piece, boolean last) {
        ByteBuffer bytes = ByteBuffer.allocate(waiting.length + piece.length)
                .put(waiting)
                .put(piece)
                .flip();
        CharBuffer text = CharBuffer.allocate(bytes.remaining() + LONGEST_CHARACTER);
        decoder.decode(bytes, text, last);
        if (last) {
            decoder.flush(text);
        }
        waiting = new byte[bytes.remaining()];
        bytes.get(waiting);
        if (text.flip().hasRemaining()) {
            out.accept(text.toString());
        }
    }
}
