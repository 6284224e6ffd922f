package ds.zero.config.json;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;

/**
 * Reads a configuration: parses the text, lets a reader take the values it knows out of the root block, and then reports
 * every problem at once, unknown keys included.
 *
 * {@snippet :
 * record Training(ZeroConfig zero, long steps) {}
 *
 * Resolved<Training> training = ConfigReader.read(Path.of("train.json"), root -> {
 *     long steps = root.block("ds").block("train").requiredInteger("steps", 1, Integer.MAX_VALUE);
 *     return new Training(ZeroConfig.read(root, Known.ofWorld(2).withTotalSteps(steps)), steps);
 * });
 * }
 */
public final class ConfigReader {
    private ConfigReader() {}

    /**
     * {@return what the reader built from the file, with the source of every value}
     *
     * @param <T> the type of the configuration
     * @param file UTF-8 text, see {@link #read(String, Function)}
     * @param reader builds the configuration from the root block
     * @throws ConfigException if the file cannot be read, or anything in it is wrong
     */
    public static <T> Resolved<T> read(Path file, Function<Block, T> reader) {
        String text;
        try {
            text = Files.readString(file);
        } catch (IOException e) {
            throw (ConfigException) new ConfigException(
                            file.toString(), "", "cannot be read: " + e, "name a readable file of UTF-8 text")
                    .initCause(e);
        }
        return read(text, reader);
    }

    /**
     * {@return what the reader built from the text, with the source of every value}
     *
     * @param <T> the type of the configuration
     * @param json a JSON object; comments and trailing commas may stand in it
     * @param reader builds the configuration from the root block. A value that is missing or wrong is reported to the block,
     *     and the reader goes on with a stand-in; so it is called exactly once and need not check anything
     * @throws ConfigException with all problems: invalid JSON (alone), wrong values, missing and unknown keys
     */
    public static <T> Resolved<T> read(String json, Function<Block, T> reader) {
        var session = new Session();
        var root = new Block(session, "", JsonText.parseObject(json));
        T value;
        try {
            value = reader.apply(root);
        } catch (ConfigException e) { // the reader gave up early: what it would have read further on is not unknown
            session.add(e.problems());
            throw new ConfigException(session.problems());
        }
        root.reportUnknownKeys();
        List<ConfigException.Problem> problems = session.problems();
        if (!problems.isEmpty()) {
            throw new ConfigException(problems);
        }
        return new Resolved<>(value, session.settings());
    }
}
