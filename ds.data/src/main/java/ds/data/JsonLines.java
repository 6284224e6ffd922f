package ds.data;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/** JSON objects one after the other, usually one a line; the string under one key of each is a document. */
final class JsonLines {
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxStringLength(Integer.MAX_VALUE) // a document may be a book
                    .build())
            .build();

    private JsonLines() {}

    static boolean isNameOf(String file) {
        return file.endsWith(".jsonl") || file.endsWith(".ndjson");
    }

    static void read(String name, InputStream in, String textKey, DocumentVisitor visitor) throws IOException {
        JsonParser json = JSON.createParser(ObjectReadContext.empty(), in);
        try (json) {
            while (json.nextToken() != null) {
                int line = json.currentTokenLocation().getLineNr();
                String text = text(json, name + ":" + line, textKey);
                visitor.document(name + ":" + line, new ByteArrayInputStream(text.getBytes(UTF_8)));
            }
        } catch (JacksonException e) {
            throw new DataException(
                    name + ":" + json.currentLocation().getLineNr() + ": not valid JSON: " + e.getOriginalMessage()
                            + "; correct this line",
                    e);
        }
    }

    private static String text(JsonParser json, String where, String textKey) {
        if (json.currentToken() != JsonToken.START_OBJECT) {
            throw new DataException(where + ": " + json.currentToken() + " is not an object; each line must be one");
        }
        String text = null;
        while (json.nextToken() != JsonToken.END_OBJECT) {
            boolean found = json.currentName().equals(textKey);
            JsonToken value = json.nextToken();
            if (found && value == JsonToken.VALUE_STRING) {
                text = json.getString();
            } else {
                json.skipChildren();
            }
        }
        if (text == null) {
            throw new DataException(
                    where + ": no string under the key \"" + textKey + "\"; name the key that holds the text");
        }
        return text;
    }
}
