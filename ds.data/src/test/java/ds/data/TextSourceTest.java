package ds.data;

import static ds.data.Faults.assertFault;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TextSourceTest {
    @TempDir
    private Path root;

    @Test
    void aFileIsOneDocument() throws IOException {
        Path file = Files.writeString(root.resolve("b.txt"), "hä\n");
        assertEquals(List.of(file + "=hä\n"), documents(TextSource.of(file)));
    }

    @Test
    void aFolderIsItsFilesSortedByName() throws IOException {
        write("b/c.java", "B/C");
        write("b.java", "B");
        write("a/x/y.java", "Y");
        write("a/n.md", "N");
        write(".git/hidden.java", "no");
        write("a/.hidden.java", "no");
        assertEquals(List.of("a/n.md=N", "a/x/y.java=Y", "b.java=B", "b/c.java=B/C"), folderDocuments(List.of()));
        assertEquals(List.of("a/x/y.java=Y", "b.java=B", "b/c.java=B/C"), folderDocuments(List.of("**/*.java")));
        assertEquals(List.of("a/n.md=N", "b.java=B"), folderDocuments(List.of("*.java", "**/n.md")));
        assertEquals(List.of("b/c.java=B/C"), folderDocuments(List.of("b/**/*.{java,md}")));
        assertEquals(List.of("a/x/y.java=Y"), folderDocuments(List.of("a/**.java")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"x.jar", "x.zip"})
    void anArchiveIsItsMembersSortedByName(String name) throws IOException {
        Path archive = archive(name, "z/B.java", "A.java", "z/b.class", "d.jsonl");
        assertEquals(
                List.of(archive + "!/A.java=A.java", archive + "!/z/B.java=z/B.java"),
                documents(new TextSource(archive, List.of("**/*.java"), "text")));
        assertEquals(
                List.of(archive + "!/d.jsonl:1=one", archive + "!/d.jsonl:2=two"),
                documents(new TextSource(archive, List.of("*.jsonl"), "text")));
    }

    @Test
    void jsonLinesAreADocumentEach() throws IOException {
        Path file = write(
                "d.jsonl",
                "{\"meta\":{\"text\":[\"no\"]},\"text\":\"a\\n\\u00fc🙂\"}\n\n{\"body\":\"b\",\"text\":\"\",\"n\":1}\n");
        assertEquals(List.of(file + ":1=a\nü🙂", file + ":3="), documents(TextSource.of(file)));
        Path other = write("e.ndjson", "{\"body\":\"b\"}");
        assertEquals(List.of(other + ":1=b"), documents(new TextSource(other, List.of(), "body")));
    }

    @Test
    void jsonFaultsNameTheLine() throws IOException {
        Path file = write("d.jsonl", "{\"text\":\"a\"}\n{\"body\":\"b\"}\n");
        assertFault(() -> documents(TextSource.of(file)), file + ":2", "\"text\"");
        write("d.jsonl", "{\"text\":\"a\"}\n{\"text\":7}\n");
        assertFault(() -> documents(TextSource.of(file)), file + ":2", "no string under the key \"text\"");
        write("d.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\n");
        assertFault(() -> documents(TextSource.of(file)), file + ":2", "not valid JSON");
        write("d.jsonl", "{\"text\":\"a\"}\n[1]\n");
        assertFault(() -> documents(TextSource.of(file)), file + ":2", "START_ARRAY", "object");
        Files.write(file, new byte[] {'{', '"', 't', '"', ':', '"', (byte) 0xff, '"', '}'});
        assertFault(() -> documents(TextSource.of(file)), file + ":1", "UTF-8");
    }

    @Test
    void globsThatMatchNothingAreNamed() throws IOException {
        write("a/n.md", "N");
        assertFault(
                () -> folderDocuments(List.of("**/*.java", "x")),
                root.toString(),
                "none of its 1 files",
                "**/*.java, x");
        Path archive = archive("x.jar", "A.java");
        assertFault(
                () -> documents(new TextSource(archive, List.of("*.md"), "text")),
                archive.toString(),
                "none of its 1 files",
                "[*.md]");
        assertFault(
                () -> documents(TextSource.of(Files.createDirectory(root.resolve("empty")))), "none of its 0 files");
        assertFault(() -> folderDocuments(List.of("{a")), "\"{a\"", "not valid");
    }

    @Test
    void globsOnASingleFileAreRefused() throws IOException {
        Path file = write("a.txt", "a");
        assertFault(() -> documents(new TextSource(file, List.of("*"), "text")), file.toString(), "[*]", "remove");
    }

    @Test
    void missingAndDamagedFilesAreNamed() throws IOException {
        assertFault(() -> documents(TextSource.of(root.resolve("no.txt"))), "no.txt", "NoSuchFile");
        assertFault(() -> documents(TextSource.of(root.resolve("no.jar"))), "no.jar", "cannot be read");
        Path archive = archive("x.jar", "A.java");
        byte[] bytes = Files.readAllBytes(archive);
        Files.write(archive, Arrays.copyOf(bytes, bytes.length - 10));
        assertFault(() -> documents(TextSource.of(archive)), archive.toString(), "ZipException");
    }

    private List<String> folderDocuments(List<String> include) {
        return documents(new TextSource(root, include, "text")).stream()
                .map(document -> document.substring(root.toString().length() + 1))
                .toList();
    }

    private static List<String> documents(TextSource source) {
        var documents = new ArrayList<String>();
        source.read((name, text) -> documents.add(name + "=" + new String(text.readAllBytes(), UTF_8)));
        return documents;
    }

    private Path write(String name, String text) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, text);
    }

    /** Members hold their own name; JSON lines hold two documents. */
    private Path archive(String name, String... members) throws IOException {
        Path file = root.resolve(name);
        try (var zip = new ZipOutputStream(Files.newOutputStream(file))) {
            zip.putNextEntry(new ZipEntry("folder/"));
            for (String member : members) {
                zip.putNextEntry(new ZipEntry(member));
                String text = member.endsWith(".jsonl") ? "{\"text\":\"one\"}\n{\"text\":\"two\"}" : member;
                zip.write(text.getBytes(UTF_8));
            }
        }
        return file;
    }
}
