package ds.zero.checkpoint;

import java.nio.file.Path;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Fields of one JSON object, each read once; what nobody read is unknown. */
final class JsonFields {
    private final Path file;
    private final Map<String, JsonNode> left = new TreeMap<>();
    private final String writer;

    JsonFields(Path file, JsonNode node) {
        this.file = file;
        if (!node.isObject()) {
            throw new CheckpointException(
                    file, "expected a JSON object, found " + node.getNodeType() + "; restore the file from a copy");
        }
        node.properties().forEach(field -> left.put(field.getKey(), field.getValue()));
        JsonNode by = left.remove("written_by");
        this.writer = by == null ? "an unknown version" : by.asString();
    }

    String writer() {
        return writer;
    }

    void requireVersion(int known) {
        long version = integer("version");
        if (version != known) {
            throw new CheckpointException(
                    file,
                    "version " + version + ", written by " + writer + "; this build reads version " + known
                            + ": use the version that wrote it");
        }
    }

    private JsonNode take(String name, boolean fits, String expected) {
        JsonNode value = left.remove(name);
        if (value == null || !fits) {
            throw new CheckpointException(
                    file,
                    "field \"" + name + "\": expected " + expected + ", found "
                            + (value == null ? "nothing" : value) + "; written by " + writer
                            + ", perhaps damaged: restore the file from a copy");
        }
        return value;
    }

    boolean has(String name) {
        return left.containsKey(name);
    }

    private JsonNode peek(String name) {
        JsonNode value = left.get(name);
        return value == null ? JsonMapper.shared().nullNode() : value;
    }

    long integer(String name) {
        return take(name, peek(name).canConvertToLong() && peek(name).isIntegralNumber(), "a whole number")
                .asLong();
    }

    String text(String name) {
        return take(name, peek(name).isString(), "a text").asString();
    }

    JsonNode object(String name) {
        return take(name, peek(name).isObject(), "an object");
    }

    JsonNode array(String name) {
        return take(name, peek(name).isArray(), "a list");
    }

    void rejectUnknown() {
        Iterator<String> names = left.keySet().iterator();
        if (names.hasNext()) {
            throw new CheckpointException(
                    file,
                    "unknown field \"" + names.next() + "\", written by " + writer
                            + ": this build does not know what it means; use the version that wrote it");
        }
    }
}
