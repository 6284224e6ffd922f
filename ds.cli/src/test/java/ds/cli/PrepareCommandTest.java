package ds.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.data.Preparation;
import ds.data.TokenFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrepareCommandTest {
    private final CapturedConsole captured = new CapturedConsole();

    @TempDir
    private Path folder;

    private Path text;
    private Path sources;

    @BeforeEach
    void files() throws IOException {
        sources = Files.createDirectories(folder.resolve("sources/deep")).getParent();
        Files.writeString(sources.resolve("A.java"), "class A {}\n".repeat(10));
        Files.writeString(sources.resolve("deep/B.java"), "class B {}\n".repeat(10));
        Files.writeString(sources.resolve("c.md"), "not Java\n".repeat(10));
        text = Files.writeString(folder.resolve("book.txt"), "a line\n".repeat(100));
    }

    private long bytes(String... arguments) {
        Path out = folder.resolve("out");
        assertEquals(0, captured.ds(arguments), captured.err());
        try (TokenFile train = TokenFile.open(out.resolve(Preparation.TRAIN));
                TokenFile validation = TokenFile.open(out.resolve(Preparation.VALIDATION))) {
            return train.textBytes() + validation.textBytes();
        }
    }

    @Test
    void globsChooseFilesOfFolders() {
        String[] arguments = {
            "prepare",
            sources.toString(),
            "--tokenizer",
            "byte",
            "--out",
            folder.resolve("out").toString(),
            "--include",
            "**/*.java"
        };
        assertEquals(220, bytes(arguments));
        assertTrue(captured.out().contains("validation.tokens"), captured.out());
    }

    @Test
    void filesNamedOneByOneNeedNotMatch() {
        String out = folder.resolve("out").toString();
        assertEquals(
                920,
                bytes(
                        "prepare",
                        text.toString(),
                        sources.toString(),
                        "--tokenizer=byte",
                        "--out",
                        out,
                        "--include=**/*.java"));
    }

    @Test
    void globsForFilesAloneAreAnError() {
        int code = captured.ds(
                "prepare", text.toString(), "--tokenizer=byte", "--out", folder + "/out", "--include=*.txt");
        assertEquals(1, code);
        assertTrue(captured.err().contains("single file"), captured.err());
    }

    @Test
    void whatIsWrongIsSaid() {
        assertEquals(1, captured.ds("prepare", text.toString(), "--tokenizer=words", "--out", folder + "/out"));
        assertTrue(captured.err().contains("tokenizer = words: no such tokenizer"), captured.err());
        assertEquals(1, captured.ds("prepare", text.toString(), "--validation=1.5", "--out", folder + "/out"));
        assertTrue(captured.err().contains("1.5"), captured.err());
        assertEquals(1, captured.ds("prepare", folder + "/missing", "--out", folder + "/out"));
        assertTrue(captured.err().contains("missing"), captured.err());
    }
}
