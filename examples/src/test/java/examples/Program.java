package examples;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A program under way, in a process of its own, started as README.md says: from the jars in target/lib.
 *
 * @param output what it prints, messages included
 */
record Program(Process process, Path output) implements AutoCloseable {
    /** Every jar a user has. */
    static final Path LIB = Path.of("target/lib").toAbsolutePath();

    private static final long TIMEOUT_SECONDS = 120;

    /**
     * Starts a program.
     *
     * @param folder for its output
     * @param environment beside the inherited one
     * @param arguments of {@code java}, after the flags that all programs get
     */
    static Program start(Path folder, Map<String, String> environment, List<String> arguments) throws IOException {
        Path output = Files.createTempFile(folder, "program", ".txt");
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-XX:ActiveProcessorCount=1"); // the model is too small for more
        command.add("@" + LIB.resolve("jvm.options"));
        command.addAll(arguments);
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().keySet().removeAll(List.of("RANK", "WORLD_SIZE", "LOCAL_RANK", "DS_SECRET"));
        builder.environment().put("OMP_NUM_THREADS", "1");
        builder.environment().put("LC_ALL", "C"); // numbers with a point, as they are parsed here
        builder.environment().putAll(environment);
        return new Program(builder.start(), output);
    }

    /** {@return what it has printed, now that it has ended well} */
    String succeed() throws IOException, InterruptedException {
        int code = end();
        assertTrue(code == 0, () -> "exit code " + code + "\n" + text());
        return text();
    }

    /** {@return what it has printed, now that it has failed} */
    String fail() throws IOException, InterruptedException {
        assertTrue(end() != 0, this::text);
        return text();
    }

    /** {@return the losses it has printed, now that it has ended well} */
    List<Double> losses() throws IOException, InterruptedException {
        List<Double> losses = succeed()
                .lines()
                .filter(line -> line.startsWith("step "))
                .map(line -> Double.parseDouble(line.substring(line.lastIndexOf(' '))))
                .toList();
        assertTrue(losses.size() == 10, this::text);
        return losses;
    }

    private int end() throws InterruptedException {
        assertTrue(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS), () -> "still running\n" + text());
        return process.exitValue();
    }

    private String text() {
        try {
            return Files.readString(output);
        } catch (IOException e) {
            return "no output: " + e;
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
