package ds.zero.config.json;

import java.io.Serializable;
import java.util.List;
import java.util.stream.Collectors;

/** A configuration that cannot be used; lists everything that is wrong with it, not only the first thing. */
public final class ConfigException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final Problem[] problems;

    /**
     * One thing that is wrong.
     *
     * @param path the JSON path of the key, such as {@code zero_optimization.stage}, or a place such as {@code line 3, column 7}
     * @param value the offending value as JSON text; empty where there is none
     * @param what what is wrong with it
     * @param remedy what to do about it; empty where {@code what} says it already
     */
    public record Problem(String path, String value, String what, String remedy) implements Serializable {
        /** {@return {@code path = value: what; remedy}, without the parts that are empty} */
        @Override
        public String toString() {
            return path + (value.isEmpty() ? "" : " = " + value) + ": " + what
                    + (remedy.isEmpty() ? "" : "; " + remedy);
        }
    }

    /**
     * One problem, found by a configuration record when it is built.
     *
     * @param path the JSON path of the key
     * @param value the offending value
     * @param what what is wrong with it
     * @param remedy what to do about it
     */
    public ConfigException(String path, Object value, String what, String remedy) {
        this(List.of(new Problem(path, JsonText.brief(value), what, remedy)));
    }

    /**
     * All problems of one configuration.
     *
     * @param problems in the order of their discovery, at least one
     */
    public ConfigException(List<Problem> problems) {
        super(message(problems));
        this.problems = problems.toArray(Problem[]::new);
    }

    /** {@return everything that is wrong, at least one problem} */
    public List<Problem> problems() {
        return List.of(problems);
    }

    private static String message(List<Problem> problems) {
        return problems.size() == 1
                ? problems.getFirst().toString()
                : problems.stream()
                        .map(problem -> "\n  " + problem)
                        .collect(Collectors.joining("", problems.size() + " problems in the configuration:", ""));
    }
}
