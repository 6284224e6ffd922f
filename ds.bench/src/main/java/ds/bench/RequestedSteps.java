package ds.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleSupplier;

/**
 * Steps that are asked for one at a time, so that a script can let several programs take turns on one machine. Writes
 * {@code ready}; then answers each line {@code step} by the seconds of one step, and each line {@code rate} by the FLOP/s of the
 * best matrix product; ends when the requests end.
 *
 * @param requests borrowed
 * @param answers borrowed
 */
public record RequestedSteps(BufferedReader requests, PrintWriter answers) {
    /**
     * {@return seconds of each step}
     *
     * @param step takes a step, and says how many seconds it took
     * @param rate measures the best product
     */
    double[] run(DoubleSupplier step, DoubleSupplier rate) {
        List<Double> seconds = new ArrayList<>();
        answer("ready");
        for (String request = next(); request != null; request = next()) {
            switch (request.strip()) {
                case "step" -> {
                    seconds.add(step.getAsDouble());
                    answer(Double.toString(seconds.getLast()));
                }
                case "rate" -> answer(Double.toString(rate.getAsDouble()));
                default ->
                    throw new IllegalArgumentException(
                            "request '" + request + "' on the standard input: must be 'step' or 'rate'");
            }
        }
        if (seconds.isEmpty()) {
            throw new IllegalArgumentException(
                    "--on-request: the standard input ended after 0 steps; ask for at least 1");
        }
        return seconds.stream().mapToDouble(Double::doubleValue).toArray();
    }

    private String next() {
        try {
            return requests.readLine();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void answer(String line) {
        answers.println(line);
        answers.flush();
    }
}
