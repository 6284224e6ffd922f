package ds.cli.terminal;

import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalInt;

/**
 * Where a command writes. Results go to {@link #out}, and to nothing else, so that they can be piped; progress, messages and
 * errors go to {@link #err}.
 *
 * @param out results
 * @param err messages
 * @param columns width of the terminal that shows {@code err}; empty if it is none
 */
public record Console(PrintWriter out, PrintWriter err, OptionalInt columns) {
    /** Set by the {@code ds} script, and by a launcher for rank 0: how wide the terminal behind stderr is. */
    public static final String COLUMNS = "DS_COLUMNS";

    private static final int NARROWEST = 20;

    /** {@return the console of this process; UTF-8} */
    public static Console ofProcess(Map<String, String> environment) {
        return new Console(
                new PrintWriter(System.out, true, StandardCharsets.UTF_8),
                new PrintWriter(System.err, true, StandardCharsets.UTF_8),
                columns(environment.getOrDefault(COLUMNS, "")));
    }

    private static OptionalInt columns(String text) {
        boolean number = text.matches("[0-9]{1,4}");
        return number && Integer.parseInt(text) >= NARROWEST
                ? OptionalInt.of(Integer.parseInt(text))
                : OptionalInt.empty();
    }

    /** {@return whether messages are shown on a terminal, where lines can be overwritten} */
    public boolean isTerminal() {
        return columns.isPresent();
    }

    /** Writes out what is buffered. */
    public void flush() {
        out.flush();
        err.flush();
    }
}
