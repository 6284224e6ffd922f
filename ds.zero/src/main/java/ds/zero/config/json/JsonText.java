package ds.zero.config.json;

import ds.zero.config.json.ConfigException.Problem;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * JSON text and the plain Java values it stands for: {@code Map}, {@code List}, {@code String}, {@code Boolean},
 * {@code Number} ({@code Integer}, {@code Long}, {@code BigInteger}, {@code BigDecimal}) and null. The only class that
 * sees Jackson.
 */
final class JsonText {
    private static final int BRIEF = 60;

    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(JsonReadFeature.ALLOW_JAVA_COMMENTS)
                    .enable(JsonReadFeature.ALLOW_YAML_COMMENTS)
                    .enable(JsonReadFeature.ALLOW_TRAILING_COMMA)
                    .build())
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
            .build();

    private JsonText() {}

    /**
     * {@return the object that the text describes, its keys in the order of the text}
     *
     * @param text JSON, in which comments ({@code //}, {@code /* *}{@code /}, {@code #}) and trailing commas may stand
     * @throws ConfigException with line and column if it is not valid, names a key twice, or is not an object
     */
    static Map<String, Object> parseObject(String text) {
        Object value;
        try {
            value = MAPPER.readValue(text, Object.class);
        } catch (JacksonException e) {
            throw new ConfigException(List.of(invalid(e)));
        }
        if (!(value instanceof Map<?, ?>)) {
            throw new ConfigException("the configuration", value, "must be a JSON object", "write { … }");
        }
        return asMap(value);
    }

    private static Problem invalid(JacksonException e) {
        var at = e.getLocation();
        String place = at == null ? "the configuration" : "line " + at.getLineNr() + ", column " + at.getColumnNr();
        String reason = e.getOriginalMessage();
        return reason.startsWith("Duplicate")
                ? new Problem(place, "", reason, "keep one of the two")
                : new Problem(place, "", "is not valid JSON: " + reason, "");
    }

    /** {@return a map of a parsed value, which has strings as keys because JSON has} */
    static Map<String, Object> asMap(Object value) {
        var map = new LinkedHashMap<String, Object>();
        ((Map<?, ?>) value).forEach((key, child) -> map.put((String) key, child));
        return map;
    }

    /** {@return the value as indented JSON text} */
    static String pretty(Object value) {
        return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(value);
    }

    /** {@return the value as JSON text on one line, cut where it is long; for messages} */
    static String brief(Object value) {
        String text = MAPPER.writeValueAsString(value);
        return text.length() <= BRIEF ? text : text.substring(0, BRIEF) + "…";
    }
}
