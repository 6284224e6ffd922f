package ds.zero.config;

import java.math.BigDecimal;
import java.util.List;
import java.util.Map;

/**
 * One row of {@code deepspeed-keys.txt}.
 *
 * @param path the key's JSON path
 * @param support what it does here
 * @param type the form of its value
 * @param autoAllowed whether {@code "auto"} may stand in place of the value
 * @param defaults DeepSpeed's default as JSON text, and other values that ask for nothing that is missing here; of a block the
 *     name of its switch
 * @param reason why it is so and what to do instead; empty for a supported key
 */
record DeepSpeedKey(
        String path, Support support, Type type, boolean autoAllowed, List<String> defaults, String reason) {
    /** What a key does here. */
    enum Support {
        SUPPORTED,
        INERT,
        UNSUPPORTED
    }

    /** The form of a value. */
    enum Type {
        FLAG("true or false"),
        INTEGER("a whole number"),
        NUMBER("a number"),
        TEXT("a text"),
        LIST("a list"),
        OBJECT("a JSON object, { … }"),
        ANY("a value"),
        BLOCK("a JSON object, { … }");

        private final String words;

        Type(String words) {
            this.words = words;
        }

        private boolean matches(Object value) {
            return switch (this) {
                case FLAG -> value instanceof Boolean;
                case INTEGER ->
                    value instanceof Number number && number.doubleValue() == Math.rint(number.doubleValue());
                case NUMBER -> value instanceof Number;
                case TEXT -> value instanceof String;
                case LIST -> value instanceof List<?>;
                case OBJECT, BLOCK -> value instanceof Map<?, ?>;
                case ANY -> value != null;
            };
        }
    }

    boolean isBlock() {
        return type == Type.BLOCK;
    }

    /** {@return the key of the path alone} */
    String name() {
        return path.substring(path.lastIndexOf('.') + 1);
    }

    /** {@return the path of the block that the key stands in; empty for the root} */
    String parent() {
        return path.substring(0, Math.max(0, path.lastIndexOf('.')));
    }

    boolean matches(Object value) {
        return type.matches(value) || (autoAllowed && "auto".equals(value));
    }

    /** {@return what a value must be, in words} */
    String expected() {
        return type.words + (autoAllowed ? " or \"auto\"" : "");
    }

    /** {@return of a block, the key that switches it on; {@code "present"} or {@code "-"}} */
    String gate() {
        return defaults.getFirst();
    }

    boolean nullIsAbsent() {
        return defaults.contains("null") || gate().equals("present");
    }

    /** {@return whether the value says what is so anyway} */
    boolean isDefault(Object value) {
        return defaults.stream().anyMatch(text -> equalsJson(value, text));
    }

    private static boolean equalsJson(Object value, String text) {
        return switch (value) {
            case Number number
            when text.matches("-?[0-9].*") -> new BigDecimal(number.toString()).compareTo(new BigDecimal(text)) == 0;
            case String string -> text.equalsIgnoreCase('"' + string + '"'); // as lenient as DeepSpeed
            case Boolean flag -> text.equals(flag.toString());
            default -> false;
        };
    }
}
