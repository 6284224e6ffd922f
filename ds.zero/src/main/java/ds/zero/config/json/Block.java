package ds.zero.config.json;

import ds.zero.config.json.ConfigException.Problem;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * One object of a configuration, read key by key. Every read is typed: nothing is converted, except that a whole number may be
 * written as {@code 5e8}. A value that is wrong or missing is reported, with its JSON path, and a stand-in is returned, so that
 * all problems come out together. A key that nobody reads is unknown.
 *
 * <p>Two calls of {@link #block} with one name give the same block: several readers can share it. Not thread-safe.
 */
public final class Block {
    private static final String AUTO = "auto";

    private final Session session;
    private final String path;
    private final Map<String, Object> given;

    Block(Session session, String path, Map<String, Object> given) {
        this.session = session;
        this.path = path;
        this.given = given;
        session.blocks().put(path, this);
    }

    /** {@return the JSON path of a key of this block} */
    public String path(String key) {
        return path.isEmpty() ? key : path + "." + key;
    }

    /** {@return whether the key is written, with whatever value} */
    public boolean has(String key) {
        return given.containsKey(key);
    }

    /** {@return the value as written: a boolean, number, string, list, map or null; null also if the key is absent} */
    public Object given(String key) {
        return given.get(key);
    }

    /** {@return whether the value is the text {@code "auto"}} */
    public boolean isAuto(String key) {
        return AUTO.equals(given.get(key));
    }

    /** {@return the keys that are written, in their order} */
    public List<String> keys() {
        return List.copyOf(given.keySet());
    }

    /** {@return the object under this key; an empty one if it is absent} */
    public Block block(String key) {
        Block open = session.blocks().get(path(key));
        if (open != null) {
            return open;
        }
        Map<String, Object> child = Map.of();
        if (present(key)) {
            if (given.get(key) instanceof Map<?, ?> object) {
                child = JsonText.asMap(object);
            } else {
                mismatch(key, "a JSON object, { … }");
            }
        }
        return new Block(session, path(key), new LinkedHashMap<>(child));
    }

    /** {@return {@code true} or {@code false}; the fallback if the key is absent} */
    public boolean flag(String key, boolean fallback) {
        return orElse(key, read(key, "true or false", Block::asFlag), fallback);
    }

    /** {@return a whole number in {@code [min, max]}; the fallback if the key is absent} */
    public long integer(String key, long fallback, long min, long max) {
        return orElse(key, readInteger(key, min, max), fallback);
    }

    /** {@return a whole number in {@code [min, max]}; empty if the key is absent} */
    public OptionalLong optionalInteger(String key, long min, long max) {
        Optional<Long> value = readInteger(key, min, max);
        return value.isPresent() ? OptionalLong.of(value.get()) : OptionalLong.empty();
    }

    /** {@return a whole number in {@code [min, max]}; that the key is absent is a problem} */
    public long requiredInteger(String key, long min, long max) {
        return required(key, readInteger(key, min, max), "a whole number, " + interval(min, max), min);
    }

    /** {@return a number of the range; the fallback if the key is absent} */
    public double number(String key, double fallback, Range range) {
        return orElse(key, read(key, range.toString(), value -> asNumber(value, range)), fallback);
    }

    /** {@return a number of the range; that the key is absent is a problem} */
    public double requiredNumber(String key, Range range) {
        return required(key, read(key, range.toString(), value -> asNumber(value, range)), range.toString(), 0.0);
    }

    /** {@return as many numbers of the range as the fallback has; the fallback if the key is absent} */
    public List<Double> numbers(String key, List<Double> fallback, Range range) {
        String expected = "a list of " + fallback.size() + " numbers, each " + range;
        return orElse(
                key,
                read(
                        key,
                        expected,
                        value -> asList(value, item -> asNumber(item, range))
                                .filter(list -> list.size() == fallback.size())),
                fallback);
    }

    /** {@return a text that is not blank; the fallback if the key is absent} */
    public String text(String key, String fallback) {
        return orElse(key, read(key, "a text", Block::asText), fallback);
    }

    /** {@return a text that is not blank; empty if the key is absent} */
    public Optional<String> optionalText(String key) {
        return read(key, "a text", Block::asText);
    }

    /** {@return a text that is not blank; that the key is absent is a problem} */
    public String requiredText(String key) {
        return required(key, read(key, "a text", Block::asText), "a text", "");
    }

    /** {@return texts, none blank; the fallback if the key is absent} */
    public List<String> texts(String key, List<String> fallback) {
        return orElse(key, read(key, "a list of texts", value -> asList(value, Block::asText)), fallback);
    }

    /** {@return one of these texts, exactly; the fallback if the key is absent} */
    public String oneOf(String key, String fallback, List<String> values) {
        String expected = "one of " + String.join(", ", values);
        return orElse(key, read(key, expected, value -> asText(value).filter(values::contains)), fallback);
    }

    /**
     * {@return all keys that were not read before, with values of any form}; for options that somebody else checks. Null is no
     * value: a key that has it is a problem.
     */
    public Map<String, Object> remaining() {
        var rest = new LinkedHashMap<String, Object>();
        for (String key : keys()) {
            if (!session.knows(path(key))) {
                read(key, "a value other than null", Optional::ofNullable).ifPresent(value -> rest.put(key, value));
            }
        }
        return Collections.unmodifiableMap(rest);
    }

    /**
     * Replaces {@code "auto"} by a value. Without effect on any other value and on an absent key.
     *
     * @param key the key
     * @param value what to read instead, of the type that the key has
     * @param rule how the value came about, for the resolved configuration
     */
    public void auto(String key, Object value, String rule) {
        if (isAuto(key)) {
            infer(key, value, rule);
        }
    }

    /**
     * Sets a value that follows from other ones, as if it had been written.
     *
     * @param key the key
     * @param value of the type that the key has
     * @param rule how the value came about, for the resolved configuration
     */
    public void infer(String key, Object value, String rule) {
        given.put(key, value);
        session.inferred(path(key), rule);
    }

    /** Takes the key for absent; what is written there is no problem any more. */
    public void drop(String key) {
        given.remove(key);
        session.know(path(key));
    }

    /** Moves the value of a key's other name to the key; that both are given is a problem. */
    public void rename(String otherName, String key) {
        if (!has(otherName)) {
            return;
        }
        if (has(key)) {
            problem(otherName, "is another name of " + path(key) + ", which is given too", "keep one of the two");
        } else {
            given.put(key, given.get(otherName));
            drop(otherName);
        }
    }

    /** Takes {@code null} for an absent key, as where DeepSpeed's default is {@code None}. */
    public void nullIsAbsent(String key) {
        if (has(key) && given.get(key) == null) {
            drop(key);
        }
    }

    /** Accepts a value as it is written, as one in force. */
    public void accept(String key) {
        read(key, "a value other than null", Optional::ofNullable);
    }

    /** Accepts a key, and lists it as one that changes nothing here. */
    public void acceptWithoutEffect(String key, String reason) {
        if (present(key)) {
            session.withoutEffect(path(key), given.get(key), reason);
        }
    }

    /** Names a key, or a path of keys joined by dots, that "did you mean" may propose although it is not read. */
    public void hint(String key) {
        session.hint(path(key));
    }

    /** Reports a key's value, or its absence. */
    public void problem(String key, String what, String remedy) {
        session.know(path(key));
        String value = has(key) ? JsonText.brief(given.get(key)) : "";
        session.add(List.of(new Problem(path(key), value, what, remedy)));
    }

    /**
     * {@return what the supplier reads and builds} If the record that it builds throws a {@link ConfigException}, its problems are
     * reported with all others; but not if a value was wrong already, since then the record was given stand-ins.
     *
     * @param <T> the type of the part
     * @param part reads values and builds a record that checks how they go together
     * @param standIn returned if it does not pass
     */
    public <T> T check(Supplier<? extends T> part, T standIn) {
        int before = session.problems().size();
        try {
            return part.get();
        } catch (ConfigException e) {
            if (session.problems().size() == before) {
                session.add(e.problems());
            }
            return standIn;
        }
    }

    /** Reports the keys that nobody has read, in this block and in those below that were opened. */
    void reportUnknownKeys() {
        for (String key : keys()) {
            Block below = session.blocks().get(path(key));
            if (!session.knows(path(key))) {
                session.add(List.of(session.unknownKey(path(key), given.get(key))));
            } else if (below != null) {
                below.reportUnknownKeys();
            }
        }
    }

    private boolean present(String key) {
        session.know(path(key));
        return has(key);
    }

    private Optional<Long> readInteger(String key, long min, long max) {
        return read(
                key,
                "a whole number, " + interval(min, max),
                value -> asInteger(value).filter(n -> n >= min && n <= max));
    }

    private <T> Optional<T> read(String key, String expected, Function<Object, Optional<T>> conversion) {
        if (!present(key)) {
            return Optional.empty();
        }
        Optional<T> value = conversion.apply(given.get(key));
        value.ifPresentOrElse(v -> session.present(path(key), v), () -> mismatch(key, expected));
        return value;
    }

    private <T> T orElse(String key, Optional<T> value, T fallback) {
        if (!has(key)) {
            session.absent(path(key), fallback);
        }
        return value.orElse(fallback);
    }

    private <T> T required(String key, Optional<T> value, String expected, T standIn) {
        if (!has(key)) {
            problem(key, "is missing", "give " + expected);
        }
        return value.orElse(standIn);
    }

    private void mismatch(String key, String expected) {
        Object value = given.get(key);
        String remedy = "";
        if (isAuto(key)) {
            remedy = "\"auto\" cannot be resolved for this key";
        } else if (value == null) {
            remedy = "remove the key to get its default";
        } else if (value instanceof String text && !expected.contains("one of") && looksTyped(text)) {
            remedy = "write it without the quotes";
        }
        problem(key, "must be " + expected, remedy);
    }

    private static boolean looksTyped(String text) {
        return text.matches("true|false|[-+]?[0-9.]+([eE][-+]?[0-9]+)?");
    }

    private static String interval(long min, long max) {
        return max >= Integer.MAX_VALUE ? "at least " + min : "from " + min + " to " + max;
    }

    private static Optional<Boolean> asFlag(Object value) {
        return value instanceof Boolean flag ? Optional.of(flag) : Optional.empty();
    }

    private static Optional<String> asText(Object value) {
        return value instanceof String text && !text.isBlank() ? Optional.of(text) : Optional.empty();
    }

    private static Optional<Double> asNumber(Object value, Range range) {
        return value instanceof Number number && range.contains(number.doubleValue())
                ? Optional.of(number.doubleValue())
                : Optional.empty();
    }

    private static Optional<Long> asInteger(Object value) {
        if (!(value instanceof Number number) || Math.abs(number.doubleValue()) > Long.MAX_VALUE) {
            return Optional.empty(); // also spares expanding 1e999999999
        }
        try {
            return Optional.of(new BigDecimal(number.toString()).longValueExact());
        } catch (ArithmeticException e) { // a fraction, or just beyond a long
            return Optional.empty();
        }
    }

    private static <T> Optional<List<T>> asList(Object value, Function<Object, Optional<T>> conversion) {
        if (!(value instanceof List<?> items)) {
            return Optional.empty();
        }
        var converted = new ArrayList<T>();
        for (Object item : items) {
            conversion.apply(item).ifPresent(converted::add);
        }
        return converted.size() == items.size() ? Optional.of(List.copyOf(converted)) : Optional.empty();
    }
}
