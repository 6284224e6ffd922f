package ds.cli.train;

import ds.zero.run.StepResult;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.function.Predicate;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Metrics as JSON lines and as CSV, written through with every line, so that a run can be watched. */
final class Metrics implements AutoCloseable {
    private static final double MILLI = 1e-6;
    private static final String HEADING =
            "step,loss,grad_norm,lr,skipped,tokens_per_second,forward_ms,backward_ms,communication_ms,update_ms,hidden_ms,idle_ms";

    private final PrintWriter json;
    private final PrintWriter csv;

    /**
     * Begins, or goes on.
     *
     * @param step after which the run goes on: later lines of an earlier run are dropped, so that each step appears once
     */
    Metrics(RunFolder folder, long step) {
        keep(folder.metricsJson(), line -> stepOfJson(line) <= step);
        keep(folder.metricsCsv(), line -> stepOfCsv(line) <= step);
        this.json = open(folder.metricsJson());
        this.csv = open(folder.metricsCsv());
        if (isEmpty(folder.metricsCsv())) {
            csv.println(HEADING);
        }
    }

    /** Replaces a file by its lines that are to stay, in one step. */
    private static void keep(Path file, Predicate<String> stays) {
        if (!Files.exists(file)) {
            return;
        }
        Path shorter = file.resolveSibling(file.getFileName() + ".tmp");
        try (BufferedReader reader = Files.newBufferedReader(file);
                BufferedWriter writer = Files.newBufferedWriter(shorter)) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                if (stays.test(line)) {
                    writer.write(line);
                    writer.write('\n');
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be shortened to the steps that are saved", e);
        }
        try {
            Files.move(shorter, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be replaced", e);
        }
    }

    /** {@return the step of a line; beyond all steps for one that a kill has cut} */
    private static long stepOfJson(String line) {
        try {
            return JsonMapper.shared().readTree(line).path("step").asLong(Long.MAX_VALUE);
        } catch (JacksonException e) {
            return Long.MAX_VALUE;
        }
    }

    private static long stepOfCsv(String line) {
        if (line.equals(HEADING)) {
            return 0;
        }
        String[] cells = line.split(",", -1);
        boolean whole = cells.length == HEADING.split(",", -1).length && cells[0].matches("[0-9]{1,18}");
        return whole ? Long.parseLong(cells[0]) : Long.MAX_VALUE;
    }

    private static boolean isEmpty(Path file) {
        try {
            return Files.size(file) == 0;
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be read", e);
        }
    }

    private static PrintWriter open(Path file) {
        try {
            return new PrintWriter(
                    Files.newBufferedWriter(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND), true);
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be written", e);
        }
    }

    void step(StepResult result, double tokensPerSecond) {
        StepResult.Timing timing = result.timing();
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.put("step", result.step());
        node.put("loss", result.loss());
        node.put("grad_norm", result.gradientNorm());
        node.put("lr", result.learningRate());
        node.put("skipped", result.skipped());
        node.put("tokens_per_second", tokensPerSecond);
        node.put("forward_ms", timing.forwardNanos() * MILLI);
        node.put("backward_ms", timing.backwardNanos() * MILLI);
        node.put("communication_ms", timing.communicationNanos() * MILLI);
        node.put("update_ms", timing.updateNanos() * MILLI);
        node.put("hidden_ms", timing.hiddenNanos() * MILLI);
        node.put("idle_ms", timing.idleNanos() * MILLI);
        json.println(node);
        csv.println(String.format(
                Locale.ROOT,
                "%d,%s,%s,%s,%b,%.1f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f",
                result.step(),
                result.loss(),
                result.gradientNorm(),
                result.learningRate(),
                result.skipped(),
                tokensPerSecond,
                timing.forwardNanos() * MILLI,
                timing.backwardNanos() * MILLI,
                timing.communicationNanos() * MILLI,
                timing.updateNanos() * MILLI,
                timing.hiddenNanos() * MILLI,
                timing.idleNanos() * MILLI));
        check();
    }

    void evaluation(long step, Evaluation.Result result) {
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.put("step", step);
        node.put("validation_loss", result.loss());
        node.put("validation_bits_per_byte", result.bitsPerByte());
        json.println(node);
        check();
    }

    /** A print writer keeps silent about a full disk. */
    private void check() {
        if (json.checkError() || csv.checkError()) {
            throw new UncheckedIOException(new IOException("metrics cannot be written; is the disk full?"));
        }
    }

    @Override
    public void close() {
        json.close();
        csv.close();
    }
}
