package ds.cli.train;

import ds.zero.StepResult;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** Metrics as JSON lines and as CSV, written through with every line, so that a run can be watched. */
final class Metrics implements AutoCloseable {
    private static final double MILLI = 1e-6;

    private final PrintWriter json;
    private final PrintWriter csv;

    Metrics(RunFolder folder) {
        this.json = open(folder.metricsJson());
        this.csv = open(folder.metricsCsv());
        csv.println(
                "step,loss,grad_norm,lr,skipped,tokens_per_second,forward_ms,backward_ms,communication_ms,update_ms");
    }

    private static PrintWriter open(Path file) {
        try {
            return new PrintWriter(Files.newBufferedWriter(file), true);
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
        json.println(node);
        csv.println(String.format(
                Locale.ROOT,
                "%d,%s,%s,%s,%b,%.1f,%.3f,%.3f,%.3f,%.3f",
                result.step(),
                result.loss(),
                result.gradientNorm(),
                result.learningRate(),
                result.skipped(),
                tokensPerSecond,
                timing.forwardNanos() * MILLI,
                timing.backwardNanos() * MILLI,
                timing.communicationNanos() * MILLI,
                timing.updateNanos() * MILLI));
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
