package examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Both programs see the same batches from the same initial weights, so they print the same losses. */
class TrainingIT {
    private static final List<String> ZERO =
            List.of("-p", Program.LIB.toString(), "-m", "examples/examples.zero.ZeroTraining", "zero.json");
    private static final List<String> PLAIN =
            List.of("-p", Program.LIB.toString(), "-m", "examples/examples.plain.PlainTraining");

    @TempDir
    private static Path folder;

    private static List<Double> plain;

    @BeforeAll
    static void trainInAPlainLoop() throws Exception {
        try (Program program = Program.start(folder, Map.of(), PLAIN)) {
            plain = program.losses();
        }
    }

    @Test
    void theModelLearns() {
        assertTrue(plain.getLast() < plain.getFirst() / 3, plain.toString());
    }

    /** On one rank nothing is summed in another order. */
    @Test
    void oneRankPrintsTheSame() throws Exception {
        try (Program program = Program.start(folder, Map.of(), ZERO)) {
            assertEquals(plain, program.losses());
        }
    }

    /**
     * Two ranks sum the 64 gradients of a batch in another order: an element is off by sqrt(64) · 2^-24 of the largest, below 1.
     * AdamW moves each of the 51 584 weights by the learning rate of 3e-3 times its gradient over its size, so that the loss,
     * of which the gradient is the slope, is off by that product; the signs are as they come, so it adds up over the weights
     * by the root of their number, and over the 100 steps at worst in full. Six digits are printed.
     */
    @Test
    void twoRanksPrintTheSameButForTheOrderOfSums() throws Exception {
        double bound = Math.sqrt(64) * 0x1p-24 * 3e-3 * Math.sqrt(51_584) * 100 + 1e-6;
        int port = freePort();
        try (Program first = Program.start(folder, rank(0, port), ZERO);
                Program second = Program.start(folder, rank(1, port), ZERO)) {
            List<Double> losses = first.losses();
            assertEquals(losses, second.losses(), "the mean over both ranks");
            for (int i = 0; i < losses.size(); i++) {
                assertEquals(plain.get(i), losses.get(i), bound, "step " + 10 * (i + 1));
            }
        }
    }

    private static Map<String, String> rank(int rank, int port) {
        return Map.of(
                "RANK",
                Integer.toString(rank),
                "WORLD_SIZE",
                "2",
                "MASTER_ADDR",
                "127.0.0.1",
                "MASTER_PORT",
                Integer.toString(port));
    }

    private static int freePort() throws IOException {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
