package ds.cli.job;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * One rank of this host. Its standard input is a pipe that is held open as long as the launcher lives (see
 * {@link LauncherWatch}); its output is relayed.
 */
final class RankProcess {
    private static final Map<Integer, String> SIGNALS =
            Map.of(1, "SIGHUP", 2, "SIGINT", 6, "SIGABRT", 9, "SIGKILL", 11, "SIGSEGV", 15, "SIGTERM");

    private final int rank;
    private final Process process;
    private final List<Thread> relays;

    private RankProcess(int rank, Process process, List<Thread> relays) {
        this.rank = rank;
        this.process = process;
        this.relays = relays;
    }

    static RankProcess start(int rank, ProcessBuilder builder, MergedOutput out, MergedOutput err) throws IOException {
        Process process = builder.start();
        return new RankProcess(
                rank,
                process,
                List.of(
                        out.relay(process.inputReader(StandardCharsets.UTF_8), rank),
                        err.relay(process.errorReader(StandardCharsets.UTF_8), rank)));
    }

    int rank() {
        return rank;
    }

    boolean isAlive() {
        return process.isAlive();
    }

    CompletableFuture<RankProcess> onExit() {
        return process.onExit().thenApply(ended -> this);
    }

    /** {@return what it ended with; 128 + n for signal n} */
    int exitCode() {
        return process.exitValue();
    }

    /** {@return such as {@code "exit code 137 (SIGKILL)"}} */
    String ending() {
        int code = exitCode();
        return "exit code " + code
                + Optional.ofNullable(SIGNALS.get(code - 128))
                        .map(name -> " (" + name + ")")
                        .orElse("");
    }

    /** Asks it to end, and everything it has started. */
    void terminate() {
        process.descendants().forEach(ProcessHandle::destroy);
        process.toHandle()
                .destroy(); // Process.destroy() would also close the pipes: its last words, and its launcher's sign of
        // life
    }

    /** Ends it without asking. */
    void kill() {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    /** {@return whether it has ended within that time} */
    boolean waitFor(Duration time) throws InterruptedException {
        return process.waitFor(time.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Waits until its last lines are relayed; not for long, since whoever inherited the pipe may live on. */
    void awaitOutput(Duration time) throws InterruptedException {
        for (Thread relay : relays) {
            relay.join(time);
        }
    }
}
