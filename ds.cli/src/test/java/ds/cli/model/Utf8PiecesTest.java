package ds.cli.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class Utf8PiecesTest {
    private final List<String> pieces = new ArrayList<>();
    private final Utf8Pieces text = new Utf8Pieces(pieces::add);

    @Test
    void charactersAreNeverCut() {
        for (byte b : "aü€𝄞".getBytes(StandardCharsets.UTF_8)) {
            text.append(new byte[] {b});
        }
        text.end();
        assertEquals(List.of("a", "ü", "€", "𝄞"), pieces);
    }

    @Test
    void whatIsNotUtf8IsReplaced() {
        text.append(new byte[] {'x', (byte) 0xff, 'y', (byte) 0xe2, (byte) 0x82});
        text.end();
        assertEquals("x\ufffdy\ufffd", String.join("", pieces));
    }
}
