package examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class LineDiffTest {
    @Test
    void aReplacedLineIsWrittenOnceAndARemovedOneNot() {
        LineDiff diff = LineDiff.of(List.of("a", "b", "c", "d"), List.of("a", "x", "c", "e", "f"));
        assertEquals(List.of("-b", "+x", "-d", "+e", "+f"), diff.edits());
        assertEquals(3, diff.written());
    }

    @Test
    void equalTextsNeedNothing() {
        assertEquals(0, LineDiff.of(List.of("a", "a"), List.of("a", "a")).written());
    }
}
