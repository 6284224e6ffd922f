package ds.cli.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.comm.Secret;
import ds.cli.terminal.Console;
import java.io.BufferedReader;
import java.io.File;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class LocalJobTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final Console console = new Console(new PrintWriter(out), new PrintWriter(err), OptionalInt.empty());

    /** {@return how {@link TestRank} is started: from the class path, since it is in no module's jar} */
    static JavaCommand java() {
        String api = Path.of(URI.create(Secret.class
                        .getProtectionDomain()
                        .getCodeSource()
                        .getLocation()
                        .toString()))
                .toString();
        String classes = String.join(File.pathSeparator, "target/classes", "target/test-classes", api);
        return new JavaCommand(
                List.of(JavaCommand.executable(), "-XX:TieredStopAtLevel=1", "-cp", classes),
                List.of(TestRank.class.getName()));
    }

    private int run(int ranks, String... arguments) {
        int code = new LocalJob(JobPlan.local(ranks), java(), console, Duration.ZERO).run(List.of(arguments));
        assertEquals(0, ProcessHandle.current().children().count(), "processes left");
        return code;
    }

    @Test
    void everyRankRunsAndIsHeard() {
        assertEquals(0, run(3, "hello"), err.toString());
        List<String> lines = out.toString().lines().sorted().toList();
        assertEquals(List.of("[rank 1] hello from 1 of 3", "[rank 2] hello from 2 of 3", "hello from 0 of 3"), lines);
        assertEquals(
                List.of("[rank 1] warning from 1", "[rank 2] warning from 2", "warning from 0"),
                err.toString().lines().sorted().toList());
    }

    @Test
    void failedRankEndsTheOthersAndGivesTheExitCode() {
        assertEquals(7, run(3, "fail", "1", "7"));
        assertTrue(
                err.toString().contains("rank 1 failed first, with exit code 7; ranks [0, 2] had not ended"),
                err.toString());
    }

    @Test
    void signalIsNamed() {
        assertEquals(137, run(1, "fail", "0", "137"));
        assertTrue(err.toString().contains("exit code 137 (SIGKILL)"), err.toString());
    }

    @Test
    void aSignalIsPassedOnToRanksWhichEndByThemselves() throws Exception {
        Process launcher = new ProcessBuilder(java().line(1, List.of("launch-listen")))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader lines = launcher.inputReader()) {
            lines.readLine();
            lines.readLine(); // both listen
            launcher.toHandle().destroy(); // SIGTERM, and the pipe stays open
            List<String> last =
                    Stream.of(lines.readLine(), lines.readLine()).sorted().toList();
            assertEquals(List.of("[rank 1] saved by 1", "saved by 0"), last);
            assertTrue(launcher.waitFor(20, TimeUnit.SECONDS));
            assertEquals(0, launcher.exitValue());
        } finally {
            launcher.descendants().forEach(ProcessHandle::destroyForcibly);
            launcher.destroyForcibly();
            launcher.waitFor(); // another test counts this process's children
        }
    }

    @Test
    void ranksEndWithAKilledLauncher() throws Exception {
        List<String> line = java().line(1, List.of("launch"));
        Process launcher = new ProcessBuilder(line)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        var ranks = new ArrayList<ProcessHandle>();
        try (BufferedReader lines = launcher.inputReader()) {
            while (ranks.size() < 2) {
                String pid = lines.readLine().replaceFirst(".*pid ", "");
                ranks.add(ProcessHandle.of(Long.parseLong(pid)).orElseThrow());
            }
            launcher.destroyForcibly();
            for (ProcessHandle rank : ranks) {
                rank.onExit().get(20, TimeUnit.SECONDS);
            }
        } finally {
            Stream.concat(Stream.of(launcher.toHandle()), ranks.stream()).forEach(ProcessHandle::destroyForcibly);
            launcher.waitFor(); // another test counts this process's children
        }
        assertTrue(ranks.stream().noneMatch(ProcessHandle::isAlive));
    }
}
