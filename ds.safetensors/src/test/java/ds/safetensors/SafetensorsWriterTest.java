package ds.safetensors;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.api.DType;
import ds.api.Shape;
import ds.safetensors.SafetensorsWriter.Entry;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SafetensorsWriterTest {
    private static final Entry BIAS = new Entry("b", DType.BF16, Shape.of(3));
    private static final Entry WEIGHT = new Entry("w", DType.F32, Shape.of(1, 2));

    @TempDir
    private Path folder;

    private Path path;

    @BeforeEach
    void name() {
        path = folder.resolve("a.safetensors");
    }

    @Test
    void writesExactlyTheseBytes() throws IOException {
        try (var writer = SafetensorsWriter.open(path, List.of(BIAS, WEIGHT), Map.of("format", "pt"))) {
            writer.write("b", segment(9, 10, 11, 12, 13, 14)); // declared first, laid out last: shorter elements
            writer.write("w", segment(1, 2, 3));
            writer.write("w", segment(4, 5, 6, 7, 8));
            writer.commit();
        }
        String json =
                "{\"__metadata__\":{\"format\":\"pt\"},\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                        + "\"b\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[8,14]}}";
        String padded = json + " ".repeat(Math.floorMod(-json.length(), 8));
        Path expected = folder.resolve("expected");
        RawFile.write(expected, padded, IntStream.rangeClosed(1, 14).toArray());
        assertArrayEquals(Files.readAllBytes(expected), Files.readAllBytes(path));
        assertEquals(List.of("a.safetensors", "expected"), names());
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void whatIsWrittenIsRead(long seed) {
        var random = new Random(seed);
        var entries = new ArrayList<Entry>();
        var bytes = new HashMap<String, byte[]>();
        int count = random.nextInt(30);
        for (int i = 0; i < count; i++) {
            DType dtype = List.of(DType.values()).get(random.nextInt(DType.values().length));
            long[] dims = random.longs(random.nextInt(4), 1, 6).toArray();
            var entry = new Entry("h." + i + ".\"\\ü" + (char) random.nextInt(0x20, 0x7f), dtype, Shape.of(dims));
            byte[] content = new byte[(int) entry.byteSize()];
            random.nextBytes(content);
            entries.add(entry);
            bytes.put(entry.name(), content);
        }
        writeInChunks(entries, bytes, random);
        try (var file = SafetensorsFile.open(path)) {
            assertEquals(bytes.keySet(), file.tensors().keySet());
            assertEquals(Map.of("ü", "\n"), file.metadata());
            for (Entry entry : entries) {
                TensorInfo info = file.info(entry.name());
                assertEquals(entry.dtype(), info.dtype());
                assertEquals(entry.shape(), info.shape());
                assertEquals(0, info.offset() % entry.dtype().byteSize(), "aligned");
                assertArrayEquals(
                        bytes.get(entry.name()), file.data(entry.name()).toArray(JAVA_BYTE));
            }
        }
    }

    private void writeInChunks(List<Entry> entries, Map<String, byte[]> bytes, Random random) {
        var order = new ArrayList<>(entries);
        Collections.shuffle(order, random);
        try (var arena = Arena.ofConfined();
                var writer = SafetensorsWriter.open(path, entries, Map.of("ü", "\n"))) {
            for (Entry entry : order) {
                byte[] content = bytes.get(entry.name());
                int cut = random.nextInt(content.length + 1);
                MemorySegment first = arena.allocate(cut);
                first.copyFrom(MemorySegment.ofArray(content).asSlice(0, cut));
                writer.write(entry.name(), first);
                writer.write(entry.name(), MemorySegment.ofArray(content).asSlice(cut));
            }
            writer.commit();
        }
    }

    @Test
    void floatsOnTheHeapAreWritten() {
        try (var writer = SafetensorsWriter.open(path, List.of(WEIGHT), Map.of())) {
            writer.write("w", MemorySegment.ofArray(new float[] {1, -10}));
            writer.commit();
        }
        try (var file = SafetensorsFile.open(path)) {
            assertEquals(0xc12000003f800000L, file.data("w").get(JAVA_LONG_UNALIGNED, 0));
            assertEquals(Map.of(), file.metadata());
        }
    }

    @Test
    void withoutCommitTheOldFileStaysAndNothingElse() throws IOException {
        Files.writeString(path, "old");
        try (var writer = SafetensorsWriter.open(path, List.of(WEIGHT), Map.of())) {
            writer.write("w", segment(1, 2, 3, 4, 5, 6, 7, 8));
        }
        assertEquals("old", Files.readString(path));
        assertEquals(List.of("a.safetensors"), names());
    }

    @Test
    void anIncompleteTensorCannotBeCommitted() throws IOException {
        Files.writeString(path, "old");
        try (var writer = SafetensorsWriter.open(path, List.of(WEIGHT), Map.of())) {
            writer.write("w", segment(1, 2, 3));
            assertFault(writer::commit, "\"w\"", "3 of 8");
        }
        assertEquals("old", Files.readString(path));
        assertEquals(List.of("a.safetensors"), names());
    }

    @Test
    void tooManyBytesAreRefused() {
        try (var writer = SafetensorsWriter.open(path, List.of(WEIGHT), Map.of())) {
            writer.write("w", segment(1));
            assertFault(() -> writer.write("w", segment(1, 2, 3, 4, 5, 6, 7, 8)), "\"w\"", "1 bytes", "8 more");
            assertFault(() -> writer.write("v", segment(1)), "\"v\"", "not declared");
        }
    }

    @Test
    void reservedAndRepeatedNamesAreRefused() throws IOException {
        assertFault(() -> open(WEIGHT, WEIGHT), "\"w\"", "twice");
        assertFault(() -> open(new Entry("__metadata__", DType.F32, Shape.of())), "__metadata__", "format's own");
        assertEquals(List.of(), names());
    }

    @Test
    void aLeftoverIsOverwrittenAndASecondWriterRefused() throws IOException {
        Files.write(folder.resolve("a.safetensors.tmp"), new byte[1000]);
        try (var writer = SafetensorsWriter.open(path, List.of(), Map.of())) {
            assertFault(() -> open(WEIGHT), "another writer");
            writer.commit();
            assertThrows(IllegalStateException.class, writer::commit);
        }
        assertEquals(16, Files.size(path));
        try (var file = SafetensorsFile.open(path)) {
            assertEquals(Map.of(), file.tensors());
        }
    }

    @Test
    void aMissingFolderIsNamed() {
        path = folder.resolve("none").resolve("a.safetensors");
        assertFault(() -> open(WEIGHT), path.toString(), "cannot be created", "folder");
    }

    @Test
    void aFullDiskIsNamedWithItsBytes() throws IOException {
        Path full = Path.of("/dev/full");
        assumeTrue(Files.exists(full), "Linux's device that is always full");
        Files.createSymbolicLink(folder.resolve("a.safetensors.tmp"), full);
        assertFault(this::commitWeight, "a.safetensors.tmp", "its first ", "No space left", "as it was");
        assertEquals(List.of(), names());
    }

    private void commitWeight() {
        try (SafetensorsWriter writer = SafetensorsWriter.open(path, List.of(WEIGHT), Map.of())) {
            writer.write("w", segment(0, 0, 0, 0, 0, 0, 0, 0));
            writer.commit();
        }
    }

    private void open(Entry... entries) {
        SafetensorsWriter.open(path, List.of(entries), Map.of()).close();
    }

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private static MemorySegment segment(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return MemorySegment.ofArray(bytes);
    }

    private static void assertFault(Executable call, String... parts) {
        String message = assertThrows(SafetensorsException.class, call).getMessage();
        for (String part : parts) {
            assertTrue(message.contains(part), () -> "\"" + part + "\" should be in: " + message);
        }
    }
}
