package ds.cli.job;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Reader;

/**
 * The output of several ranks as one stream. What the first rank of this host writes passes as it comes, so that it can draw a
 * progress bar; the others' lines pass whole, with {@code [rank r]} before them.
 */
final class MergedOutput {
    /** The Java machine says this of every process that uses vectors; the launcher's own line is enough. */
    private static final String NOISE = "WARNING: Using incubator modules";

    private static final String CLEAR_LINE = "\r\u001b[K";

    private final PrintWriter target;
    private final boolean terminal;
    private final int plainRank;
    private boolean midLine;

    /**
     * Writes to {@code target}.
     *
     * @param terminal whether an unfinished line of the plain rank is redrawn by itself
     * @param plainRank the rank whose output passes as it comes
     */
    MergedOutput(PrintWriter target, boolean terminal, int plainRank) {
        this.target = target;
        this.terminal = terminal;
        this.plainRank = plainRank;
    }

    /** {@return a thread that passes on what this rank writes, until its end} */
    Thread relay(BufferedReader source, int rank) {
        return Thread.ofPlatform().daemon().name("output-" + rank).start(() -> {
            try (source) {
                if (rank == plainRank) {
                    relayPlain(source);
                } else {
                    relayLines(source, "[rank " + rank + "] ");
                }
            } catch (IOException e) {
                // The pipe broke with the process, whose exit code says why.
            }
        });
    }

    private void relayPlain(BufferedReader source) throws IOException {
        plain(withoutNoise(source));
        char[] chunk = new char[8192];
        for (int count = source.read(chunk); count >= 0; count = source.read(chunk)) {
            plain(new String(chunk, 0, count));
        }
    }

    /** {@return what came before it was clear that this is not the noise, which is skipped with its line} */
    private static String withoutNoise(Reader source) throws IOException {
        var seen = new StringBuilder();
        while (seen.length() < NOISE.length()) {
            int next = source.read();
            if (next >= 0) {
                seen.append((char) next);
            }
            if (next < 0 || next != NOISE.charAt(seen.length() - 1)) {
                return seen.toString();
            }
        }
        for (int next = source.read(); next >= 0 && next != '\n'; next = source.read()) {
            // to the end of the line
        }
        return "";
    }

    private synchronized void plain(String text) {
        if (!text.isEmpty()) {
            target.print(text);
            target.flush();
            midLine = !text.endsWith("\n");
        }
    }

    private void relayLines(BufferedReader source, String prefix) throws IOException {
        for (String line = source.readLine(); line != null; line = source.readLine()) {
            if (!line.startsWith(NOISE)) {
                line(prefix + line);
            }
        }
    }

    /** Prints a whole line; one that the plain rank has not finished is redrawn by it on a terminal, and else cut. */
    synchronized void line(String text) {
        if (midLine) {
            target.print(terminal ? CLEAR_LINE : System.lineSeparator());
            midLine = false;
        }
        target.println(text);
        target.flush();
    }
}
