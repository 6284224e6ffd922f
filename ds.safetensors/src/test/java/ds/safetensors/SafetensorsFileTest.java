package ds.safetensors;

import static ds.safetensors.RawFile.entry;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Shape;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsFileTest {
    private static final String W = entry("w", "F32", "[1,2]", 0, 8);

    @TempDir
    private Path folder;

    private Path path;

    @BeforeEach
    void name() {
        path = folder.resolve("a.safetensors");
    }

    @Test
    void readsTensorsMetadataAndBytes() throws IOException {
        String header = "{\"b\":{\"data_offsets\":[8,10],\"shape\":[],\"dtype\":\"BF16\",\"extra\":[{}]},"
                + "\"__metadata__\":{\"format\":\"pt\",\"ü\":\"\\u00e4\"}," + W + "}   ";
        RawFile.write(path, header, 0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc1, 0x80, 0x40);
        try (var file = SafetensorsFile.open(path)) {
            assertEquals(List.of("w", "b"), List.copyOf(file.tensors().keySet()), "in the order of their bytes");
            assertEquals(Map.of("format", "pt", "ü", "ä"), file.metadata());
            TensorInfo w = file.info("w");
            assertEquals(DType.F32, w.dtype());
            assertEquals(Shape.of(1, 2), w.shape());
            assertEquals(8, w.byteSize());
            assertEquals(Files.size(path) - 10, w.offset());
            assertEquals(1f, file.data("w").get(JAVA_FLOAT_UNALIGNED, 0));
            assertEquals(-10f, file.data("w").get(JAVA_FLOAT_UNALIGNED, 4));
            assertEquals(Shape.of(), file.info("b").shape(), "a scalar");
            assertEquals(2, file.data("b").byteSize());
            assertEquals(0x40, file.data("b").get(JAVA_BYTE, 1));
        }
    }

    @Test
    void listsWhatItHasNoDtypeOrShapeFor() throws IOException {
        String header = "{" + entry("mask", "BOOL", "[3]", 0, 3) + "," + entry("none", "F32", "[0,7]", 3, 3) + ","
                + entry("future", "F2_X", "[1]", 3, 8) + "," + entry("w", "F16", "[1]", 8, 10) + "}";
        RawFile.write(path, header, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0);
        try (var file = SafetensorsFile.open(path)) {
            assertEquals(4, file.tensors().size());
            assertEquals(Optional.empty(), file.info("mask").knownDtype());
            assertEquals(3, file.data("mask").byteSize());
            assertEquals(Optional.of(DType.F16), file.info("w").knownDtype());
            assertMessage(() -> file.info("mask").dtype(), "\"mask\"", "BOOL", "convert");
            assertMessage(() -> file.info("future").dtype(), "\"future\"", "F2_X");
            assertMessage(() -> file.info("none").shape(), "\"none\"", "[0, 7]");
            assertEquals(0, file.data("none").byteSize());
        }
    }

    @Test
    void dataIsReadOnlyAndDeadAfterClose() throws IOException {
        RawFile.write(path, "{" + W + "}", 1, 2, 3, 4, 5, 6, 7, 8);
        MemorySegment data;
        try (var file = SafetensorsFile.open(path)) {
            data = file.data("w");
            assertThrows(IllegalArgumentException.class, () -> data.set(JAVA_BYTE, 0, (byte) 1));
        }
        assertThrows(IllegalStateException.class, () -> data.get(JAVA_BYTE, 0));
    }

    @Test
    void anUnknownNameIsNamed() throws IOException {
        RawFile.write(path, "{" + W + "}", 1, 2, 3, 4, 5, 6, 7, 8);
        try (var file = SafetensorsFile.open(path)) {
            assertMessage(() -> file.data("v"), "\"v\"", "1 tensors", "[w]");
        }
    }

    @Test
    void anAbsentFileIsNamed() {
        assertFault("NoSuchFile", "check");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 7})
    void tooShortForTheHeaderLength(int bytes) throws IOException {
        Files.write(path, new byte[bytes]);
        assertFault("truncated", "has " + bytes + " bytes");
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 100_000_001, -1, Long.MIN_VALUE})
    void headerLengthOutsideTheFormatsLimits(long length) throws IOException {
        RawFile.write(path, length, new byte[100]);
        assertFault("header length " + Long.toUnsignedString(length), "100000000");
    }

    @Test
    void headerLengthBeyondTheFile() throws IOException {
        RawFile.write(path, 101, new byte[100]);
        assertFault("truncated", "101 bytes", "only 100");
    }

    @Test
    void everyTruncationOfAFileIsFound() throws IOException {
        RawFile.write(path, "{" + W + "}", 1, 2, 3, 4, 5, 6, 7, 8);
        byte[] whole = Files.readAllBytes(path);
        for (int size = 0; size < whole.length; size++) {
            Files.write(path, Arrays.copyOf(whole, size));
            assertFault("truncated");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{ ",
                "{\"w\"}",
                "[]",
                "{} {}",
                "{'w':1}",
                "{\"w\":3}",
                "{\"w\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,0]}}",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,0]}}",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,0]}}",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":0}}",
                "{\"__metadata__\":{\"format\":1}}"
            })
    void headerThatIsNotTheJsonOfTheFormat(String header) throws IOException {
        RawFile.write(path, header);
        assertFault(" at byte ", "again");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"w\":{\"shape\":[0],\"data_offsets\":[0,0]}}",
                "{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,0]}}",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[0]}}",
                "{\"w\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0,0]}}"
            })
    void entryThatLacksAKey(String header) throws IOException {
        RawFile.write(path, header);
        assertFault("\"w\"", "it needs all three");
    }

    @Test
    void duplicateKeys() throws IOException {
        RawFile.write(path, "{" + W + "," + W + "}", 1, 2, 3, 4, 5, 6, 7, 8);
        assertFault("Duplicate", "\"w\"");
        RawFile.write(path, "{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F16\",\"shape\":[0],\"data_offsets\":[0,0]}}");
        assertFault("Duplicate", "\"dtype\"");
    }

    @Test
    void overlap() throws IOException {
        RawFile.write(path, "{" + W + "," + entry("v", "U8", "[4]", 7, 11) + "}", new int[11]);
        assertFault("\"v\"", "[7, 11]", "overlap", "8");
    }

    @Test
    void gap() throws IOException {
        RawFile.write(path, "{" + W + "," + entry("v", "U8", "[4]", 9, 13) + "}", new int[13]);
        assertFault("\"v\"", "[9, 13]", "gap from 8");
    }

    @Test
    void bytesAfterTheLastTensor() throws IOException {
        RawFile.write(path, "{" + W + "}", new int[9]);
        assertFault("take 8 bytes", "has 9");
    }

    @Test
    void offsetsBeyondTheFile() throws IOException {
        RawFile.write(path, "{" + entry("w", "F32", "[4]", 0, 16) + "}", new int[8]);
        assertFault("\"w\"", "[0, 16]", "truncated", "8 bytes");
    }

    @Test
    void offsetsThatEndBeforeTheyBegin() throws IOException {
        RawFile.write(path, "{" + entry("w", "F32", "[1]", 8, 4) + "}", new int[8]);
        assertFault("\"w\"", "[8, 4]", "before they begin");
    }

    @Test
    void byteLengthThatDoesNotMatchDtypeAndShape() throws IOException {
        RawFile.write(path, "{" + entry("w", "F16", "[1,2]", 0, 8) + "}", new int[8]);
        assertFault("\"w\"", "8 bytes", "F16", "[1, 2]", "32 bits");
        RawFile.write(path, "{" + entry("w", "F4", "[3]", 0, 1) + "}", new int[1]);
        assertFault("\"w\"", "F4", "12 bits");
        RawFile.write(path, "{" + entry("w", "F32", "[4294967296,4294967296]", 0, 8) + "}", new int[8]);
        assertFault("\"w\"", "more elements than a long");
    }

    @Test
    void negativeDimsAndOffsets() throws IOException {
        RawFile.write(path, "{" + entry("w", "F32", "[-1,-2]", 0, 8) + "}", new int[8]);
        assertFault("\"w\" shape", "-1 is negative");
        RawFile.write(path, "{" + entry("w", "F32", "[2]", -8, 0) + "}", new int[8]);
        assertFault("\"w\" data_offsets", "-8 is negative");
    }

    private void assertFault(String... parts) {
        assertMessage(() -> SafetensorsFile.open(path).close(), parts);
    }

    private void assertMessage(Executable call, String... parts) {
        String message = assertThrows(SafetensorsException.class, call).getMessage();
        assertTrue(message.startsWith(path + ": "), message);
        for (String part : parts) {
            assertTrue(message.contains(part), () -> "\"" + part + "\" should be in: " + message);
        }
    }
}
