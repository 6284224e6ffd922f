package ds.zero.checkpoint;

import ds.api.Shape;
import ds.zero.checkpoint.Index.Fragment;
import ds.zero.checkpoint.Index.Runs;
import ds.zero.checkpoint.Index.Stored;
import ds.zero.checkpoint.Index.StoredFile;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The JSON of an index, and of the fragments that the ranks send to rank 0. The index is its own witness: its first field is the
 * CRC-32C of the file with zeros in that field's place.
 */
final class IndexJson {
    private static final int VERSION = 1;
    private static final String ZEROS = "00000000";
    private static final String OPENING = "{\"crc32c\":\"";

    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private IndexJson() {}

    /** {@return CRC-32C} */
    static int checksum(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        return (int) crc.getValue();
    }

    /** {@return a JSON file's content as a tree} */
    static JsonNode tree(Path file, byte[] bytes) {
        try {
            return MAPPER.readTree(bytes);
        } catch (JacksonException e) {
            throw new CheckpointException(
                    file, "is not valid JSON: " + e.getOriginalMessage() + "; restore the file from a copy", e);
        }
    }

    /** {@return the content of {@code index.json}} */
    static byte[] write(Index index) {
        var bytes = new ByteArrayOutputStream();
        try (JsonGenerator json = new JsonFactory().createGenerator(ObjectWriteContext.empty(), bytes)) {
            json.writeStartObject();
            json.writeStringProperty("crc32c", ZEROS);
            json.writeNumberProperty("version", VERSION);
            json.writeStringProperty("written_by", index.writer());
            json.writeNumberProperty("world_size", index.worldSize());
            json.writeNumberProperty("chunk_bytes", index.chunkBytes());
            json.writeArrayPropertyStart("kinds");
            index.kinds().forEach(json::writeString);
            json.writeEndArray();
            json.writeArrayPropertyStart("parameters");
            index.parameters().forEach((name, shape) -> write(json, name, shape));
            json.writeEndArray();
            json.writeArrayPropertyStart("files");
            index.files().forEach(file -> write(json, file));
            json.writeEndArray();
            writePieces(json, index.pieces());
            json.writeEndObject();
        }
        byte[] whole = bytes.toByteArray();
        byte[] digits = HexFormat.of().toHexDigits(checksum(whole)).getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(digits, 0, whole, OPENING.length(), digits.length);
        return whole;
    }

    /**
     * {@return what {@link #write} wrote}
     *
     * @throws CheckpointException if a byte is not as it was written, or another version wrote it
     */
    static Index read(Path file, byte[] bytes) {
        requireIntact(file, bytes);
        JsonFields fields = new JsonFields(file, tree(file, bytes));
        fields.text("crc32c");
        fields.requireVersion(VERSION);
        var kinds = new ArrayList<String>();
        fields.array("kinds").forEach(kind -> kinds.add(kind.asString()));
        var parameters = new LinkedHashMap<String, Shape>();
        fields.array("parameters").forEach(node -> readParameter(new JsonFields(file, node), parameters));
        var files = new ArrayList<StoredFile>();
        fields.array("files").forEach(node -> files.add(readFile(new JsonFields(file, node))));
        Index index = new Index(
                fields.writer(),
                Math.toIntExact(fields.integer("world_size")),
                fields.integer("chunk_bytes"),
                List.copyOf(kinds),
                parameters,
                List.copyOf(files),
                readPieces(file, fields));
        fields.rejectUnknown();
        return index;
    }

    private static void requireIntact(Path file, byte[] bytes) {
        byte[] opening = OPENING.getBytes(StandardCharsets.US_ASCII);
        int end = opening.length + ZEROS.length();
        if (bytes.length < end || !Arrays.equals(opening, 0, opening.length, bytes, 0, opening.length)) {
            throw new CheckpointException(
                    file, "does not begin with its checksum, as an index does; restore the file from a copy");
        }
        String expected = new String(bytes, opening.length, ZEROS.length(), StandardCharsets.US_ASCII);
        byte[] zeroed = bytes.clone();
        System.arraycopy(ZEROS.getBytes(StandardCharsets.US_ASCII), 0, zeroed, opening.length, ZEROS.length());
        String found = HexFormat.of().toHexDigits(checksum(zeroed));
        if (!found.equals(expected)) {
            throw new CheckpointException(
                    file,
                    "has checksum " + found + ", and says it were " + expected
                            + ": it is damaged; restore the file from a copy, or use another checkpoint");
        }
    }

    /** {@return a fragment as JSON} */
    static byte[] write(Fragment fragment) {
        var bytes = new ByteArrayOutputStream();
        try (JsonGenerator json = new JsonFactory().createGenerator(ObjectWriteContext.empty(), bytes)) {
            json.writeStartObject();
            json.writeName("file");
            write(json, fragment.file());
            writePieces(json, fragment.pieces());
            json.writeEndObject();
        }
        return bytes.toByteArray();
    }

    /** {@return a fragment that a rank has sent} */
    static Fragment readFragment(Path file, byte[] bytes) {
        JsonFields fields = new JsonFields(file, tree(file, bytes));
        return new Fragment(readFile(new JsonFields(file, fields.object("file"))), readPieces(file, fields));
    }

    private static void write(JsonGenerator json, String name, Shape shape) {
        json.writeStartObject();
        json.writeStringProperty("name", name);
        json.writeArrayPropertyStart("shape");
        for (int i = 0; i < shape.dimCount(); i++) {
            json.writeNumber(shape.dim(i));
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    private static void readParameter(JsonFields fields, Map<String, Shape> parameters) {
        List<Long> dims = new ArrayList<>();
        fields.array("shape").forEach(dim -> dims.add(dim.asLong()));
        parameters.put(
                fields.text("name"),
                Shape.of(dims.stream().mapToLong(Long::longValue).toArray()));
        fields.rejectUnknown();
    }

    private static void write(JsonGenerator json, StoredFile file) {
        json.writeStartObject();
        json.writeStringProperty("name", file.name());
        json.writeNumberProperty("bytes", file.byteSize());
        json.writeNumberProperty("checked_bytes", file.checkedBytes());
        json.writeStringProperty("crc32c", HexFormat.of().toHexDigits(file.checksum()));
        json.writeEndObject();
    }

    private static StoredFile readFile(JsonFields fields) {
        StoredFile file = new StoredFile(
                fields.text("name"),
                fields.integer("bytes"),
                fields.integer("checked_bytes"),
                HexFormat.fromHexDigits(fields.text("crc32c")));
        fields.rejectUnknown();
        return file;
    }

    private static void writePieces(JsonGenerator json, List<Stored> pieces) {
        json.writeArrayPropertyStart("pieces");
        for (Stored piece : pieces) {
            json.writeStartObject();
            json.writeStringProperty("kind", piece.kind());
            json.writeStringProperty("parameter", piece.parameter());
            if (piece.runs().parts() > 1) {
                json.writeArrayPropertyStart("part");
                json.writeNumber(piece.runs().part());
                json.writeNumber(piece.runs().parts());
                json.writeNumber(piece.runs().run());
                json.writeNumber(piece.runs().period());
                json.writeEndArray();
            }
            json.writeNumberProperty("first", piece.first());
            json.writeNumberProperty("end", piece.end());
            json.writeNumberProperty("file", piece.file());
            json.writeStringProperty("tensor", piece.tensor());
            json.writeArrayPropertyStart("crc32c");
            piece.checksums().forEach(sum -> json.writeString(HexFormat.of().toHexDigits(sum)));
            json.writeEndArray();
            json.writeEndObject();
        }
        json.writeEndArray();
    }

    private static List<Stored> readPieces(Path file, JsonFields fields) {
        var pieces = new ArrayList<Stored>();
        fields.array("pieces").forEach(node -> pieces.add(readPiece(file, new JsonFields(file, node))));
        return pieces;
    }

    private static Runs readRuns(Path file, JsonFields fields) {
        if (!fields.has("part")) {
            return Runs.ALL;
        }
        var numbers = new ArrayList<Long>();
        fields.array("part").forEach(number -> numbers.add(number.asLong()));
        if (numbers.size() != 4
                || numbers.get(0) >= numbers.get(1)
                || numbers.get(2) < 1
                || numbers.get(3) <= (numbers.get(1) - 1) * numbers.get(2)) {
            throw new CheckpointException(
                    file, "part " + numbers + " is not number, parts, run, period; restore the file from a copy");
        }
        return new Runs(
                numbers.get(3), numbers.get(2), Math.toIntExact(numbers.get(1)), Math.toIntExact(numbers.get(0)));
    }

    private static Stored readPiece(Path file, JsonFields fields) {
        var checksums = new ArrayList<Integer>();
        fields.array("crc32c").forEach(sum -> checksums.add(HexFormat.fromHexDigits(sum.asString())));
        Stored piece = new Stored(
                fields.text("kind"),
                fields.text("parameter"),
                readRuns(file, fields),
                fields.integer("first"),
                fields.integer("end"),
                Math.toIntExact(fields.integer("file")),
                List.copyOf(checksums));
        String tensor = fields.text("tensor");
        if (!tensor.equals(piece.tensor())) {
            throw CheckpointException.ofTensor(
                    file, tensor, "its place says that it is " + piece.tensor() + "; restore the file from a copy");
        }
        fields.rejectUnknown();
        return piece;
    }
}
