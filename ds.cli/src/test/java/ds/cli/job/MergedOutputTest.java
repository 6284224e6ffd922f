package ds.cli.job;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.BufferedReader;
import java.io.PrintWriter;
import java.io.StringReader;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class MergedOutputTest {
    private final StringWriter written = new StringWriter();

    private MergedOutput output(boolean terminal) {
        return new MergedOutput(new PrintWriter(written), terminal, 0);
    }

    private static void relay(MergedOutput output, int rank, String text) throws InterruptedException {
        output.relay(new BufferedReader(new StringReader(text)), rank).join();
    }

    private String written() {
        return written.toString().replace(System.lineSeparator(), "\n");
    }

    @Test
    void firstRankIsPlainOthersArePrefixed() throws InterruptedException {
        MergedOutput output = output(false);
        relay(output, 0, "loss 3\rloss 2\n");
        relay(output, 1, "one\ntwo");
        assertEquals("loss 3\rloss 2\n[rank 1] one\n[rank 1] two\n", written());
    }

    @Test
    void unfinishedLineIsEndedOrClearedFirst() throws InterruptedException {
        MergedOutput plain = output(false);
        relay(plain, 0, "loss");
        relay(plain, 1, "x\n");
        assertEquals("loss\n[rank 1] x\n", written());
        written.getBuffer().setLength(0);
        MergedOutput terminal = output(true);
        relay(terminal, 0, "loss");
        relay(terminal, 1, "x\n");
        assertEquals("loss\r\u001b[K[rank 1] x\n", written());
    }

    @Test
    void machineNoiseIsDropped() throws InterruptedException {
        MergedOutput output = output(false);
        relay(output, 0, "WARNING: Using incubator modules: jdk.incubator.vector\nhello\n");
        relay(output, 1, "WARNING: Using incubator modules: jdk.incubator.vector\nhello\n");
        assertEquals("hello\n[rank 1] hello\n", written());
    }

    @Test
    void whatOnlyBeginsLikeNoiseStays() throws InterruptedException {
        relay(output(false), 0, "WARNING: disk full\n");
        relay(output(false), 0, "WARN");
        relay(output(false), 0, "");
        assertEquals("WARNING: disk full\nWARN", written());
    }
}
