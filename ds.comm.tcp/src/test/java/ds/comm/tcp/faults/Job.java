package ds.comm.tcp.faults;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Ranks that run {@link CollectiveLoop}, each a process. */
final class Job implements AutoCloseable {
    /** One of them. */
    static final class Rank {
        private final Process process;
        private final List<String> lines = new ArrayList<>();
        private final Thread reader;
        private volatile long endNanos;

        private Rank(Process process) {
            this.process = process;
            reader = Thread.ofPlatform().daemon().start(this::read);
        }

        private void read() {
            try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
                for (String line = out.readLine(); line != null; line = out.readLine()) {
                    add(line);
                }
            } catch (IOException e) {
                add("(" + e + ")");
            }
            endNanos = System.nanoTime();
            add("(end)");
        }

        private synchronized void add(String line) {
            lines.add(line);
            notifyAll();
        }

        /** Waits until it has said so, or has ended. */
        synchronized void awaitLine(String line) throws InterruptedException {
            while (!lines.contains(line) && !lines.contains("(end)")) {
                wait();
            }
        }

        Process process() {
            return process;
        }

        synchronized String said() {
            return String.join("\n", lines);
        }

        /** {@return whether it has ended by then} */
        boolean awaitEnd(long deadlineNanos) throws InterruptedException {
            boolean ended = process.waitFor(Math.max(0, deadlineNanos - System.nanoTime()), TimeUnit.NANOSECONDS);
            if (ended) {
                reader.join();
            }
            return ended;
        }

        long endNanos() {
            return endNanos;
        }
    }

    private final List<Rank> ranks = new ArrayList<>();

    /**
     * Starts all.
     *
     * @param masterPorts that each rank is told
     * @param more variables of their environment
     * @param hosts on which they run: rank 0 on the first, the others on the second; this one if absent
     */
    Job(List<Integer> masterPorts, Map<String, String> more, Optional<TwoHosts> hosts, String... arguments)
            throws IOException {
        for (int rank = 0; rank < masterPorts.size(); rank++) {
            boolean first = rank == 0;
            List<String> line = new ArrayList<>(hosts.map(two -> two.on(first)).orElse(List.of()));
            line.addAll(line(arguments));
            ProcessBuilder builder = new ProcessBuilder(line).redirectErrorStream(true);
            Map<String, String> environment = builder.environment();
            environment.putAll(more);
            environment.put("RANK", Integer.toString(rank));
            environment.put("WORLD_SIZE", Integer.toString(masterPorts.size()));
            environment.put("MASTER_ADDR", hosts.isPresent() ? TwoHosts.FIRST_ADDRESS : "127.0.0.1");
            environment.put("MASTER_PORT", Integer.toString(masterPorts.get(rank)));
            environment.put("DS_SECRET", "0123456789abcdef0123456789abcdef");
            ranks.add(new Rank(builder.start()));
        }
    }

    /**
     * Has all ranks begin.
     *
     * @param together when all are there: how long a machine takes to start them is no part of their deadline
     */
    void begin(boolean together) throws IOException, InterruptedException {
        for (Rank rank : ranks) {
            if (together) {
                rank.awaitLine("ready");
            }
        }
        for (Rank rank : ranks) {
            OutputStream in = rank.process().getOutputStream();
            in.write('\n');
            in.flush();
        }
    }

    /** The modules are those of this process; the loop and what it tests with are on the class path. */
    private static List<String> line(String... arguments) {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "--add-modules=ds.comm.tcp",
                "--module-path=" + System.getProperty("jdk.module.path"),
                "--class-path=" + classPath(),
                CollectiveLoop.class.getName()));
        line.addAll(Arrays.asList(arguments));
        return line;
    }

    private static String classPath() {
        String all = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        return Path.of("target", "test-classes").toAbsolutePath()
                + File.pathSeparator
                + Arrays.stream(all.split(File.pathSeparator, -1))
                        .filter(entry -> entry.contains("ds.tck"))
                        .collect(Collectors.joining(File.pathSeparator));
    }

    List<Rank> ranks() {
        return ranks;
    }

    Rank rank(int rank) {
        return ranks.get(rank);
    }

    @Override
    public void close() {
        ranks.forEach(rank -> rank.process().destroyForcibly());
        ranks.forEach(rank -> rank.process().onExit().join());
    }
}
