package ds.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.cli.job.StopRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

class MainTest {
    private final CapturedConsole captured = new CapturedConsole();

    static Stream<List<String>> commands() {
        var paths = new ArrayList<List<String>>();
        collect(Main.commandLine(new CapturedConsole().console(), new StopRequest()), List.of(), paths);
        return paths.stream();
    }

    private static void collect(CommandLine command, List<String> path, List<List<String>> paths) {
        command.getSubcommands().forEach((name, sub) -> {
            List<String> subPath = Stream.concat(path.stream(), Stream.of(name)).toList();
            if (sub.getSubcommands().isEmpty()) {
                paths.add(subPath);
            }
            collect(sub, subPath, paths);
        });
    }

    @ParameterizedTest
    @MethodSource("commands")
    void helpOfEveryCommandHasExamples(List<String> path) {
        int code = captured.ds(Stream.concat(path.stream(), Stream.of("--help")).toArray(String[]::new));
        assertEquals(0, code, captured.err());
        String name = "ds " + String.join(" ", path);
        assertTrue(captured.out().contains("Usage: " + name + " "), captured.out());
        assertTrue(captured.out().contains("Examples:"), captured.out());
        assertTrue(captured.out().contains("\n  " + name), captured.out());
    }

    @Test
    void versionNamesJavaToo() {
        assertEquals(0, captured.ds("--version"));
        assertTrue(captured.out().startsWith("ds "), captured.out());
        assertTrue(captured.out().contains("Java 25"), captured.out());
    }

    @Test
    void withoutCommandTheHelpIsShown() {
        assertEquals(2, captured.ds());
        assertTrue(captured.err().contains("Usage: ds "), captured.err());
    }

    @Test
    void wrongOptionIsNamedWithWhatWasMeant() {
        assertEquals(2, captured.ds("info", "--jsn"));
        assertEquals("", captured.out());
        assertTrue(captured.err().startsWith("ds: Unknown option: '--jsn'"), captured.err());
        assertTrue(captured.err().contains("--json"), captured.err());
        assertTrue(captured.err().contains("`ds info --help`"), captured.err());
    }

    @Test
    void wrongCommandIsNamedWithWhatWasMeant() {
        assertEquals(2, captured.ds("prepar"));
        assertTrue(captured.err().contains("prepare"), captured.err());
    }

    @Test
    void failureIsOneMessage() {
        assertEquals(1, captured.ds("generate", "--model", "x", "--backend", "nowhere"));
        assertTrue(captured.err().startsWith("ds: ds.backend = nowhere: no such provider; found ["), captured.err());
        assertEquals(1, captured.err().lines().count(), captured.err());
    }

    @Test
    void stackTraceOnDemand() {
        assertEquals(1, captured.ds("generate", "--stacktrace", "--model", "x", "--backend", "nowhere"));
        assertTrue(captured.err().contains("ProviderException"), captured.err());
        assertTrue(captured.err().contains("\tat "), captured.err());
    }

    @Test
    void unexpectedFailureAsksForReport() {
        CommandLine commandLine = Main.commandLine(captured.console(), new StopRequest());
        commandLine.addSubcommand("broken", new Broken());
        assertEquals(1, commandLine.execute("broken"));
        assertTrue(captured.err().contains("internal error: java.lang.IllegalStateException: here"), captured.err());
        assertFalse(captured.err().contains("\tat "), captured.err());
    }

    @CommandLine.Command
    static final class Broken implements Runnable {
        @Override
        public void run() {
            throw new IllegalStateException("here");
        }
    }
}
