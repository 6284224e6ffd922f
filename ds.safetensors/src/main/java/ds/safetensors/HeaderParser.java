package ds.safetensors;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/**
 * Reads the JSON of one header, or of an index of shards, token by token: what it says, without judging byte ranges. A key
 * that occurs twice is an error.
 */
final class HeaderParser implements AutoCloseable {
    static final String METADATA = "__metadata__";

    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private final Path path;
    private final JsonParser json;

    private HeaderParser(Path path, byte[] bytes) {
        this.path = path;
        this.json = JSON.createParser(ObjectReadContext.empty(), bytes);
    }

    /** One tensor of the header; its byte range counts from the first byte after the header. */
    record Entry(String name, String dtype, List<Long> dims, long begin, long end) {}

    /** A header: its {@code __metadata__} and its tensors, both in the file's order. */
    record Content(Map<String, String> metadata, List<Entry> entries) {}

    /** {@return what the header says} */
    static Content header(Path path, byte[] bytes) {
        try (var parser = new HeaderParser(path, bytes)) {
            return parser.header();
        } catch (JacksonException e) {
            throw notJson(path, "the header", e);
        }
    }

    /** {@return tensor name → file name, from the {@code weight_map} of an index of shards} */
    static Map<String, String> weightMap(Path path, byte[] bytes) {
        try (var parser = new HeaderParser(path, bytes)) {
            return parser.weightMap();
        } catch (JacksonException e) {
            throw notJson(path, "the index", e);
        }
    }

    private static SafetensorsException notJson(Path path, String what, JacksonException e) {
        return new SafetensorsException(
                path,
                what + " is not valid JSON at byte " + e.getLocation().getByteOffset() + ": " + e.getOriginalMessage()
                        + "; download or save the file again",
                e);
    }

    private Content header() {
        var metadata = new LinkedHashMap<String, String>();
        var entries = new ArrayList<Entry>();
        expect(json.nextToken(), JsonToken.START_OBJECT, "the header");
        while (json.nextToken() != JsonToken.END_OBJECT) {
            String name = json.currentName();
            if (name.equals(METADATA)) {
                metadata.putAll(strings(METADATA));
            } else {
                entries.add(entry(name));
            }
        }
        expectEnd("the header");
        return new Content(metadata, entries);
    }

    private Entry entry(String name) {
        String key = "tensor \"" + name + "\"";
        String dtype = null;
        List<Long> dims = null;
        List<Long> range = null;
        expect(json.nextToken(), JsonToken.START_OBJECT, key);
        while (json.nextToken() != JsonToken.END_OBJECT) {
            switch (json.currentName()) {
                case "dtype" -> dtype = string(key + " dtype");
                case "shape" -> dims = integers(key + " shape");
                case "data_offsets" -> range = integers(key + " data_offsets");
                default -> skip();
            }
        }
        if (dtype == null || dims == null || range == null || range.size() != 2) {
            throw new SafetensorsException(
                    path,
                    key + ": has dtype " + dtype + ", shape " + dims + ", data_offsets " + range
                            + "; it needs all three, with two data_offsets; download or save the file again");
        }
        return new Entry(name, dtype, dims, range.getFirst(), range.getLast());
    }

    private Map<String, String> weightMap() {
        Map<String, String> files = null;
        expect(json.nextToken(), JsonToken.START_OBJECT, "the index");
        while (json.nextToken() != JsonToken.END_OBJECT) {
            if (json.currentName().equals("weight_map")) {
                files = strings("weight_map");
            } else {
                skip();
            }
        }
        expectEnd("the index");
        if (files == null || files.isEmpty()) {
            throw new SafetensorsException(
                    path, "weight_map is " + files + "; it must map each tensor to its file; download the index again");
        }
        return files;
    }

    private Map<String, String> strings(String key) {
        var result = new LinkedHashMap<String, String>();
        expect(json.nextToken(), JsonToken.START_OBJECT, key);
        while (json.nextToken() != JsonToken.END_OBJECT) {
            String name = json.currentName();
            result.put(name, string(key + "." + name));
        }
        return result;
    }

    private List<Long> integers(String key) {
        var result = new ArrayList<Long>();
        expect(json.nextToken(), JsonToken.START_ARRAY, key);
        for (JsonToken token = json.nextToken(); token != JsonToken.END_ARRAY; token = json.nextToken()) {
            expect(token, JsonToken.VALUE_NUMBER_INT, key);
            long value = json.getLongValue();
            if (value < 0) {
                throw new SafetensorsException(
                        path, key + ": " + value + " is negative; download or save the file again");
            }
            result.add(value);
        }
        return result;
    }

    private String string(String key) {
        expect(json.nextToken(), JsonToken.VALUE_STRING, key);
        return json.getString();
    }

    private void skip() {
        json.nextToken();
        json.skipChildren();
    }

    private void expect(JsonToken found, JsonToken expected, String key) {
        if (found != expected) {
            throw new SafetensorsException(
                    path,
                    key + ": expected " + expected + ", found " + found + " at byte "
                            + json.currentTokenLocation().getByteOffset() + "; download or save the file again");
        }
    }

    private void expectEnd(String what) {
        if (json.nextToken() != null) {
            throw new SafetensorsException(
                    path,
                    what + " goes on after its closing brace, at byte "
                            + json.currentTokenLocation().getByteOffset() + "; download or save the file again");
        }
    }

    @Override
    public void close() {
        json.close();
    }
}
