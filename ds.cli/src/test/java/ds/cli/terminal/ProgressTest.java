package ds.cli.terminal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class ProgressTest {
    private static final long SECOND = 1_000_000_000L;

    private final StringWriter err = new StringWriter();
    private long now;

    private Progress start(OptionalInt columns) {
        var console = new Console(new PrintWriter(new StringWriter()), new PrintWriter(err), columns);
        return Progress.start(console, new Progress.Task("train", 100, "steps"), () -> now);
    }

    @Test
    void withoutTerminalLinesComeEveryFewSecondsAndAtTheEnd() {
        try (Progress progress = start(OptionalInt.empty())) {
            for (int step = 1; step <= 100; step++) {
                now += SECOND / 10;
                progress.at(step, "loss " + step);
            }
        }
        assertEquals(
                "train: 50/100 steps (50%), 5 s left, loss 50\ntrain: 100/100 steps (100%), loss 100\n",
                err.toString().replace(System.lineSeparator(), "\n"));
    }

    @Test
    void whatWasDoneEarlierDoesNotMakeTheRestShorter() {
        Console console = new Console(new PrintWriter(new StringWriter()), new PrintWriter(err), OptionalInt.empty());
        try (Progress progress = Progress.start(console, new Progress.Task("train", 100, "steps", 80), () -> now)) {
            now += 6 * SECOND;
            progress.at(90, "");
        }
        assertEquals("train: 90/100 steps (90%), 6 s left", err.toString().strip());
    }

    @Test
    void notesStayInOrder() {
        try (Progress progress = start(OptionalInt.empty())) {
            progress.at(1, "");
            progress.note("validation loss 2.4");
        }
        assertEquals(
                "validation loss 2.4\ntrain: 1/100 steps (1%), 0 s left\n",
                err.toString().replace(System.lineSeparator(), "\n"));
    }

    @Test
    void onTerminalOneLineIsRedrawn() {
        try (Progress progress = start(OptionalInt.of(100))) {
            progress.at(100, "loss 2.3");
            progress.note("validation loss 2.4");
        }
        assertTrue(err.toString().contains("\r\u001b[Kvalidation loss 2.4"), err.toString());
        assertTrue(err.toString().contains("100/100 steps"), err.toString());
        assertTrue(err.toString().contains("loss 2.3"), err.toString());
        assertTrue(err.toString().endsWith(System.lineSeparator()), err.toString());
    }

    @Test
    void widthComesFromTheScript() {
        assertEquals(
                OptionalInt.of(80),
                Console.ofProcess(Map.of("DS_COLUMNS", "80")).columns());
        assertEquals(OptionalInt.empty(), Console.ofProcess(Map.of()).columns());
        assertEquals(
                OptionalInt.empty(),
                Console.ofProcess(Map.of("DS_COLUMNS", "wide")).columns());
    }
}
