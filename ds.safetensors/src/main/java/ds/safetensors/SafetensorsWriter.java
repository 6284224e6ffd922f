package ds.safetensors;

import ds.api.DType;
import ds.api.Shape;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/**
 * Writes one safetensors file in two phases: first all names, dtypes and shapes, then each tensor's bytes, in any order and in
 * chunks of any size, so that no tensor need be whole in memory. The file appears under its name only by {@link #commit},
 * complete and on the device; until then, and if anything fails, what was there stays.
 *
 * <p>Tensors are laid out by descending element size, otherwise in the order given, and the header is padded to 8 bytes: each
 * tensor is aligned to its elements, as PyTorch's reader needs. One thread at a time.
 *
 * {@snippet :
 * var entries = List.of(new SafetensorsWriter.Entry("ln.bias", DType.F32, Shape.of(48)));
 * try (var writer = SafetensorsWriter.open(path, entries, Map.of("format", "pt"))) {
 *     writer.write("ln.bias", bytes);
 *     writer.commit();
 * }
 * }
 */
public final class SafetensorsWriter implements AutoCloseable {
    private static final int ALIGNMENT = 8;

    private final Path path;
    private final Map<String, Region> regions;
    private final PendingFile file;

    private SafetensorsWriter(Path path, Map<String, Region> regions, PendingFile file) {
        this.path = path;
        this.regions = regions;
        this.file = file;
    }

    /**
     * One tensor to be written.
     *
     * @param name unique in the file
     * @param dtype of its elements
     * @param shape its dims
     */
    public record Entry(String name, DType dtype, Shape shape) {
        long byteSize() {
            return Math.multiplyExact(shape.elements(), dtype.byteSize());
        }
    }

    /** The bytes of one tensor in the file, and how many of them have been written. */
    private static final class Region {
        private final long offset;
        private final long byteSize;
        private long written;

        Region(long offset, long byteSize) {
            this.offset = offset;
            this.byteSize = byteSize;
        }
    }

    /**
     * {@return a writer with its header written; the caller closes it, after {@link #commit} if the file shall appear}
     *
     * @param path the final name; its folder exists; {@code NAME.tmp} beside it is used meanwhile
     * @param entries all tensors
     * @param metadata for {@code __metadata__}; Hugging Face's loader expects {@code format = pt}
     * @throws SafetensorsException if a name is reserved or occurs twice, or the disk refuses
     */
    public static SafetensorsWriter open(Path path, List<Entry> entries, Map<String, String> metadata) {
        var sorted = new ArrayList<>(entries);
        sorted.sort(Comparator.comparingInt(entry -> -entry.dtype().byteSize())); // stable
        byte[] header = header(path, sorted, metadata);
        var regions = new LinkedHashMap<String, Region>();
        long offset = header.length;
        for (Entry entry : sorted) {
            if (entry.name().equals(HeaderParser.METADATA)) {
                throw SafetensorsException.ofTensor(
                        path, entry.name(), "this name is the format's own; choose another");
            }
            if (regions.put(entry.name(), new Region(offset, entry.byteSize())) != null) {
                throw SafetensorsException.ofTensor(path, entry.name(), "declared twice; names must be unique");
            }
            offset = Math.addExact(offset, entry.byteSize());
        }
        PendingFile file = PendingFile.create(path);
        try {
            file.write(MemorySegment.ofArray(header), 0);
            return new SafetensorsWriter(path, regions, file);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** {@return length and JSON, padded with spaces} */
    private static byte[] header(Path path, List<Entry> sorted, Map<String, String> metadata) {
        var bytes = new ByteArrayOutputStream();
        bytes.writeBytes(new byte[Header.LENGTH_BYTES]);
        try (JsonGenerator json = new JsonFactory().createGenerator(ObjectWriteContext.empty(), bytes)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectPropertyStart(HeaderParser.METADATA);
                new TreeMap<>(metadata).forEach(json::writeStringProperty);
                json.writeEndObject();
            }
            long begin = 0;
            for (Entry entry : sorted) {
                writeEntry(json, entry, begin);
                begin += entry.byteSize();
            }
            json.writeEndObject();
        }
        while (bytes.size() % ALIGNMENT != 0) {
            bytes.write(' ');
        }
        return withLength(path, bytes.toByteArray());
    }

    private static void writeEntry(JsonGenerator json, Entry entry, long begin) {
        json.writeObjectPropertyStart(entry.name());
        json.writeStringProperty("dtype", StoredType.nameOf(entry.dtype()));
        json.writeArrayPropertyStart("shape");
        for (int i = 0; i < entry.shape().dimCount(); i++) {
            json.writeNumber(entry.shape().dim(i));
        }
        json.writeEndArray();
        json.writeArrayPropertyStart("data_offsets");
        json.writeNumber(begin);
        json.writeNumber(begin + entry.byteSize());
        json.writeEndArray();
        json.writeEndObject();
    }

    private static byte[] withLength(Path path, byte[] header) {
        int length = header.length - Header.LENGTH_BYTES;
        if (length > Header.MAX_BYTES) {
            throw new SafetensorsException(
                    path,
                    "the header would take " + length + " bytes, and readers refuse more than " + Header.MAX_BYTES
                            + "; write several files");
        }
        for (int i = 0; i < Header.LENGTH_BYTES; i++) {
            header[i] = (byte) ((long) length >>> (Byte.SIZE * i));
        }
        return header;
    }

    /**
     * Writes the next bytes of a tensor.
     *
     * @param name as declared
     * @param chunk little-endian and row-major; native or on the heap; borrowed for this call
     * @throws SafetensorsException if the name was not declared, there are more bytes than dtype × shape, or the disk refuses
     */
    public void write(String name, MemorySegment chunk) {
        Region region = regions.get(name);
        if (region == null) {
            throw SafetensorsException.ofTensor(path, name, "was not declared; declare every tensor when opening");
        }
        if (chunk.byteSize() > region.byteSize - region.written) {
            throw SafetensorsException.ofTensor(
                    path,
                    name,
                    region.written + " bytes written and " + chunk.byteSize() + " more given, but it takes "
                            + region.byteSize + "; declare the dtype and shape that you write");
        }
        file.write(chunk, region.offset + region.written);
        region.written += chunk.byteSize();
    }

    /**
     * Forces the file to the device and gives it its name, replacing what was there, in one step.
     *
     * @throws SafetensorsException if a tensor is incomplete, or the disk refuses
     */
    public void commit() {
        regions.forEach((name, region) -> {
            if (region.written != region.byteSize) {
                throw SafetensorsException.ofTensor(
                        path,
                        name,
                        "only " + region.written + " of " + region.byteSize
                                + " bytes were written; write the rest first");
            }
        });
        file.commit();
    }

    /** Ends writing; without {@link #commit} before, nothing remains of it. */
    @Override
    public void close() {
        file.close();
    }
}
