package ds.safetensors;

import static ds.safetensors.RawFile.entry;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFolderTest {
    private static final String A = "model-00001-of-00002.safetensors";
    private static final String B = "model-00002-of-00002.safetensors";

    @TempDir
    private Path folder;

    @BeforeEach
    void twoShards() throws IOException {
        RawFile.write(
                folder.resolve(A),
                "{" + entry("a", "U8", "[1]", 0, 1) + "," + entry("unused", "U8", "[1]", 1, 2) + "}",
                1,
                2);
        RawFile.write(folder.resolve(B), "{" + entry("b", "U8", "[1]", 0, 1) + "}", 3);
        index("{\"metadata\":{\"total_size\":3},\"weight_map\":{\"b\":\"" + B + "\",\"a\":\"" + A + "\"}}");
    }

    @Test
    void presentsShardsAsOneView() {
        try (var model = SafetensorsFolder.open(folder)) {
            assertEquals(List.of("b", "a"), List.copyOf(model.tensors().keySet()));
            assertEquals(1, model.data("a").get(JAVA_BYTE, 0));
            assertEquals(3, model.data("b").get(JAVA_BYTE, 0));
            assertEquals(2, model.files().size());
        }
    }

    @Test
    void aSingleFileCountsBeforeAnIndex() throws IOException {
        RawFile.write(folder.resolve("model.safetensors"), "{" + entry("c", "U8", "[1]", 0, 1) + "}", 4);
        try (var model = SafetensorsFolder.open(folder)) {
            assertEquals(List.of("c"), List.copyOf(model.tensors().keySet()));
            assertEquals(4, model.data("c").get(JAVA_BYTE, 0));
        }
    }

    @Test
    void anUnknownNameIsNamed() {
        try (var model = SafetensorsFolder.open(folder)) {
            String message = assertThrows(SafetensorsException.class, () -> model.data("unused"))
                    .getMessage();
            assertTrue(message.contains("\"unused\"") && message.contains("2 tensors"), message);
        }
    }

    @Test
    void aMissingShardIsNamed() throws IOException {
        Files.delete(folder.resolve(B));
        assertFault("\"b\"", B, "missing");
    }

    @Test
    void aTensorThatItsShardLacksIsNamed() throws IOException {
        index("{\"weight_map\":{\"b\":\"" + A + "\"}}");
        assertFault("\"b\"", "not in " + A, "index");
    }

    @Test
    void aDamagedShardIsNamed() throws IOException {
        Files.write(folder.resolve(A), new byte[4]);
        assertFault(A, "truncated");
    }

    @Test
    void aFolderWithoutAModelIsNamed() throws IOException {
        Files.delete(folder.resolve("model.safetensors.index.json"));
        assertFault("neither model.safetensors nor model.safetensors.index.json");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../x", "/etc/x", "..", "a\\\\b", "a/b"})
    void aShardOutsideTheFolderIsRefused(String file) throws IOException {
        index("{\"weight_map\":{\"b\":\"" + file + "\"}}");
        assertFault("\"b\"", "plain file name");
    }

    @Test
    void aBrokenIndexIsNamed() throws IOException {
        index("{\"weight_map\":{\"b\":\"x\"");
        assertFault("index.json", "not valid JSON");
        index("{\"weight_map\":{\"b\":\"x\",\"b\":\"y\"}}");
        assertFault("index.json", "Duplicate");
        index("{\"metadata\":{}}");
        assertFault("index.json", "weight_map is null");
    }

    private void index(String json) throws IOException {
        Files.writeString(folder.resolve("model.safetensors.index.json"), json);
    }

    private void assertFault(String... parts) {
        String message = assertThrows(
                        SafetensorsException.class,
                        () -> SafetensorsFolder.open(folder).close())
                .getMessage();
        for (String part : parts) {
            assertTrue(message.contains(part), () -> "\"" + part + "\" should be in: " + message);
        }
    }
}
