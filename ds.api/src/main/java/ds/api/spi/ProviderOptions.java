package ds.api.spi;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Options of one provider, as they stand in a configuration: numbers, booleans, texts and lists of them, by name. Reading is
 * typed, and {@link #rejectUnknown} finds the ones that nobody read.
 */
public final class ProviderOptions {
    private final String path;
    private final Map<String, Object> values;
    private final Set<String> read = new LinkedHashSet<>();

    /**
     * Wraps options.
     *
     * @param path where they stand, for messages: {@code "optimizer.params"}
     * @param values by name
     * @throws ProviderException if one is null
     */
    public ProviderOptions(String path, Map<String, ?> values) {
        this.path = path;
        values.forEach((name, value) -> {
            if (value == null) {
                throw wrong(name, null, "must not be null; leave it out to get the default");
            }
        });
        this.values = Map.copyOf(values);
    }

    /** {@return no options} */
    public static ProviderOptions none(String path) {
        return new ProviderOptions(path, Map.of());
    }

    /** {@return a number, or the default if it is absent} */
    public double number(String name, double defaultValue) {
        return switch (value(name)) {
            case null -> defaultValue;
            case Number number -> number.doubleValue();
            case Object other -> throw wrong(name, other, "must be a number");
        };
    }

    /** {@return a whole number, or the default if it is absent} */
    public long integer(String name, long defaultValue) {
        if (value(name) == null) {
            return defaultValue;
        }
        double number = number(name, 0);
        if (number != Math.rint(number) || Math.abs(number) > 0x1p53) {
            throw wrong(name, number, "must be a whole number");
        }
        return (long) number;
    }

    /** {@return a truth value, or the default if it is absent} */
    public boolean flag(String name, boolean defaultValue) {
        return switch (value(name)) {
            case null -> defaultValue;
            case Boolean flag -> flag;
            case Object other -> throw wrong(name, other, "must be true or false");
        };
    }

    /** {@return a text, or the default if it is absent} */
    public String text(String name, String defaultValue) {
        return switch (value(name)) {
            case null -> defaultValue;
            case String text -> text;
            case Object other -> throw wrong(name, other, "must be a text");
        };
    }

    /** {@return a list of as many numbers as the default has, or the default if it is absent} */
    public List<Double> numbers(String name, List<Double> defaultValue) {
        return switch (value(name)) {
            case null -> defaultValue;
            case List<?> list
            when list.size() == defaultValue.size() && list.stream().allMatch(Number.class::isInstance) ->
                list.stream().map(x -> ((Number) x).doubleValue()).toList();
            case Object other -> throw wrong(name, other, "must be a list of " + defaultValue.size() + " numbers");
        };
    }

    /**
     * Call it after reading all options that are understood.
     *
     * @throws ProviderException naming the options that were not read, and those that were
     */
    public void rejectUnknown() {
        List<String> unknown = values.keySet().stream()
                .filter(name -> !read.contains(name))
                .sorted()
                .toList();
        if (!unknown.isEmpty()) {
            throw new ProviderException(unknown.stream()
                            .map(name -> path + "." + name + " = " + values.get(name))
                            .collect(Collectors.joining(", "))
                    + ": unknown option; known are " + read);
        }
    }

    private Object value(String name) {
        read.add(name);
        return values.get(name);
    }

    private ProviderException wrong(String name, Object value, String what) {
        return new ProviderException(path + "." + name + " = " + value + ": " + what);
    }
}
