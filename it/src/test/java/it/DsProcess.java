package it;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * A {@code ds} command as a process of its own, from the jars that {@code ./ds} runs. Keeps what it prints; when closed, neither
 * it nor anything that it has started is left.
 */
final class DsProcess implements AutoCloseable {
    /** Far above what anything here takes: a test that reaches it hangs. */
    static final Duration PATIENCE = Duration.ofMinutes(3);

    private static final Path LIB =
            Path.of("..", "ds.cli", "target", "lib").toAbsolutePath().normalize();
    private static final Set<String> OF_A_JOB = Set.of(
            "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS");

    private final Process process;
    private final List<Thread> readers;
    private final StringBuilder out = new StringBuilder();
    private final StringBuilder err = new StringBuilder();
    private final List<String> lines = new ArrayList<>();
    private final Set<ProcessHandle> started = new LinkedHashSet<>();

    /**
     * How a command has ended.
     *
     * @param out what it has printed to standard output
     * @param err what it has printed to standard error
     */
    record Result(int exitCode, String out, String err) {
        /** Fails the test, with all output, unless the command has ended with this code. */
        Result exits(int expected) {
            return exitCode == expected ? this : fail("exit code " + exitCode + ", not " + expected + "\n" + this);
        }

        /** Fails the test, with all output, unless each word is in the output. */
        Result says(String... words) {
            for (String word : words) {
                assertTrue((out + err).contains(word), () -> "no '" + word + "' in\n" + this);
            }
            return this;
        }
    }

    private DsProcess(Process process) {
        this.process = process;
        this.readers = List.of(
                collect(process.inputReader(StandardCharsets.UTF_8), out),
                collect(process.errorReader(StandardCharsets.UTF_8), err));
    }

    /** {@return a command that has begun} Nothing of the environment places it in a job, unless it is given here. */
    static DsProcess start(Path directory, Map<String, String> environment, String... arguments) throws IOException {
        assertTrue(Files.isDirectory(LIB), () -> LIB + " is not there: `./mvnw verify` makes it");
        Stream<String> java = Stream.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "@" + LIB.resolve("jvm.options"),
                "-p",
                LIB.toString(),
                "-m",
                "ds.cli/ds.cli.Main");
        var builder =
                new ProcessBuilder(Stream.concat(java, Arrays.stream(arguments)).toList());
        builder.directory(directory.toFile());
        builder.environment().keySet().removeIf(name -> OF_A_JOB.contains(name) || name.startsWith("DS_"));
        builder.environment().putAll(environment);
        return new DsProcess(builder.start());
    }

    /** {@return how a command ended that was run from start to end} */
    static Result run(Path directory, String... arguments) throws Exception {
        try (DsProcess process = start(directory, Map.of(), arguments)) {
            return process.await(PATIENCE);
        }
    }

    /** {@return a port of loopback that is free now} */
    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private Thread collect(BufferedReader source, StringBuilder text) {
        return Thread.ofPlatform().daemon().start(() -> {
            try (source) {
                for (String line = source.readLine(); line != null; line = source.readLine()) {
                    add(line, text);
                }
            } catch (IOException e) {
                add("(" + e + ")", text);
            }
        });
    }

    private synchronized void add(String line, StringBuilder text) {
        text.append(line).append('\n');
        lines.add(line);
        notifyAll();
    }

    /** Waits until it has printed such a line. */
    synchronized void awaitLine(Predicate<String> wanted) throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        for (int seen = 0; ; seen++) {
            while (seen == lines.size()) {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    fail("the line has not come within " + PATIENCE + "\n" + out + err);
                }
                if (readers.stream().noneMatch(Thread::isAlive)) {
                    fail("the process ended without that line\n" + out + err);
                }
                TimeUnit.NANOSECONDS.timedWait(this, Math.min(left, TimeUnit.SECONDS.toNanos(1)));
            }
            if (wanted.test(lines.get(seen))) {
                return;
            }
        }
    }

    /** {@return how it ended, which must be within that time} */
    Result await(Duration time) throws InterruptedException {
        if (!process.waitFor(time.toNanos(), TimeUnit.NANOSECONDS)) {
            synchronized (this) {
                fail("still running after " + time + "\n" + out + err);
            }
        }
        for (Thread reader : readers) {
            reader.join(PATIENCE);
        }
        synchronized (this) {
            return new Result(process.exitValue(), out.toString(), err.toString());
        }
    }

    /** {@return the processes it has started that are alive, in the order of their ranks} */
    List<ProcessHandle> ranks() {
        List<ProcessHandle> children = process.children().toList();
        started.addAll(children);
        return children.stream()
                .sorted(Comparator.comparingInt(DsProcess::rank))
                .toList();
    }

    private static int rank(ProcessHandle child) {
        try {
            String environment = Files.readString(
                    Path.of("/proc", Long.toString(child.pid()), "environ"), StandardCharsets.ISO_8859_1);
            return Arrays.stream(environment.split("\0", -1))
                    .filter(variable -> variable.startsWith("RANK="))
                    .mapToInt(variable -> Integer.parseInt(variable.substring("RANK=".length())))
                    .findFirst()
                    .orElseThrow();
        } catch (IOException e) {
            return fail(e);
        }
    }

    /** Asks it to end, as {@code kill} does; its output is still read. */
    void terminate() {
        process.toHandle().destroy();
    }

    /** Ends it as {@code kill -9} does; what it has started is not touched. */
    void kill() {
        process.destroyForcibly();
    }

    /** Fails the test unless these processes end within that time, all together. */
    static void awaitEnd(List<ProcessHandle> processes, Duration time) throws InterruptedException, ExecutionException {
        CompletableFuture<?>[] ends =
                processes.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new);
        try {
            CompletableFuture.allOf(ends).get(time.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            fail(
                    "alive after " + time + ": "
                            + processes.stream().filter(ProcessHandle::isAlive).toList(),
                    e);
        }
    }

    @Override
    public void close() {
        process.descendants().forEach(started::add);
        started.add(process.toHandle());
        started.forEach(ProcessHandle::destroyForcibly);
        process.onExit().join();
    }
}
