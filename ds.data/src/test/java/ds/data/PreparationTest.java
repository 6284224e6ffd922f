package ds.data;

import static ds.data.Faults.assertFault;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.data.Preparation.Progress;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PreparationTest {
    @TempDir
    private Path root;

    @ParameterizedTest
    @ValueSource(strings = {"byte", "gpt2"})
    void everyKthDocumentIsHeldOut(String tokenizer) throws IOException {
        for (int i = 0; i < 10; i++) {
            write("text/%d.txt".formatted(i), i == 3 ? "" : "<document %d>".formatted(i)); // 9 are not empty
        }
        prepare(tokenizer, 0.25);
        assertText(
                tokenizer,
                "train.tokens",
                7,
                "<document 0><document 1><document 2><document 5><document 6>" + "<document 7><document 9>");
        assertText(tokenizer, "validation.tokens", 2, "<document 4><document 8>");
    }

    @ParameterizedTest
    @ValueSource(strings = {"byte", "gpt2"})
    void theEndOfASingleDocumentIsHeldOutFromALineOn(String tokenizer) throws IOException {
        write("text/a.txt", "0123456\n".repeat(100));
        prepare(tokenizer, 0.1); // cut near byte 720 of 800, before a line feed
        assertText(tokenizer, "train.tokens", 1, "0123456" + "\n0123456".repeat(88));
        assertText(tokenizer, "validation.tokens", 1, "\n0123456".repeat(11) + "\n");
    }

    @Test
    void fewDocumentsAreEachCut() throws IOException {
        write("text/a.txt", "a".repeat(100));
        write("text/b.txt", "");
        write("text/c.txt", "c".repeat(50));
        write("text/d.txt", "");
        prepare("byte", 0.2);
        assertText("byte", "train.tokens", 2, "a".repeat(79) + "c".repeat(39));
        assertText("byte", "validation.tokens", 2, "a".repeat(21) + "c".repeat(11));
    }

    @Test
    void aLongDocumentPassesInChunks() throws IOException {
        String text = "The quick brown fox\n".repeat(200_000); // 4 MB
        write("text/a.txt", text);
        List<Progress> progress = prepare("byte", 0.5);
        assertTrue(progress.size() >= 4);
        assertEquals(new Progress(1, 1, text.length(), text.length()), progress.getLast());
        try (var train = TokenFile.open(root.resolve("out/train.tokens"));
                var validation = TokenFile.open(root.resolve("out/validation.tokens"))) {
            assertEquals(text.length(), train.textBytes() + validation.textBytes());
            assertTrue(Math.abs(text.length() / 2 - train.textBytes()) <= 21, "cut at a line end");
        }
    }

    @Test
    void progressEndsAtTheTotals() throws IOException {
        write("text/a.txt", "aaaa");
        write("text/b.txt", "bb");
        List<Progress> progress = prepare("byte", 0.5);
        assertEquals(new Progress(0, 2, 4, 6), progress.getFirst());
        assertEquals(new Progress(2, 2, 6, 6), progress.getLast());
    }

    @Test
    void theSameTextGivesTheSameBytes() throws IOException {
        write("text/a.txt", "aaaa");
        write("text/b.txt", "bb");
        prepare("byte", 0.5);
        byte[] first = Files.readAllBytes(root.resolve("out/train.tokens"));
        prepare("byte", 0.5);
        assertArrayEquals(first, Files.readAllBytes(root.resolve("out/train.tokens")));
    }

    @Test
    void textWithoutContentIsRefused() throws IOException {
        write("text/a.txt", "");
        assertFault(() -> prepare("byte", 0.5), root.resolve("text").toString(), "no text");
        write("text/a.txt", "abc");
        assertFault(() -> prepare("byte", 0.1), "3 bytes in 1 documents", "0.1");
        assertEquals(0, root.resolve("out").toFile().list().length);
    }

    @Test
    void badUtf8IsNamedAndLeavesTheOldFiles() throws IOException {
        write("text/a.txt", "aaaa");
        write("text/b.txt", "bb");
        prepare("byte", 0.5);
        Path bad = Files.write(root.resolve("text/c.txt"), new byte[] {'x', (byte) 0xfc});
        assertFault(() -> prepare("byte", 0.5), bad.toString(), "byte 1 (0xfc)");
        assertText("byte", "train.tokens", 1, "aaaa");
        assertText("byte", "validation.tokens", 1, "bb");
        assertEquals(2, root.resolve("out").toFile().list().length);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 1, -0.1, 1.5, Double.NaN})
    void fractionsThatLeaveAFileEmptyAreRefused(double fraction) {
        assertFault(() -> prepare("byte", fraction), "validation fraction = " + fraction);
    }

    @Test
    void textThatChangesMeanwhileIsNoticed() throws IOException {
        write("text/a.txt", "aaaa");
        write("text/b.txt", "bb");
        var preparation = preparation("byte", 0.5);
        assertFault(
                () -> preparation.run(progress -> {
                    try {
                        write("text/b.txt", "bbb");
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                }),
                "changed",
                "2 documents of 6 bytes, then 2 of 7");
    }

    private List<Progress> prepare(String tokenizer, double fraction) {
        var progress = new ArrayList<Progress>();
        preparation(tokenizer, fraction).run(progress::add);
        return progress;
    }

    private Preparation preparation(String tokenizer, double fraction) {
        return new Preparation(
                List.of(TextSource.of(root.resolve("text"))),
                Tokenizer.named(tokenizer),
                root.resolve("out"),
                fraction);
    }

    private void assertText(String tokenizer, String name, long documents, String text) throws IOException {
        try (var file = TokenFile.open(root.resolve("out").resolve(name))) {
            var bytes = new ByteArrayOutputStream();
            file.writeText(Tokenizer.named(tokenizer), bytes);
            assertEquals(text, bytes.toString(UTF_8));
            assertEquals(text.length(), file.textBytes());
            assertEquals(documents, file.documents());
            assertEquals(file.endOfText(), file.token(file.tokens() - 1));
        }
    }

    private void write(String name, String text) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }
}
