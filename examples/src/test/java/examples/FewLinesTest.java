package examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * An existing program moves to ZeRO by a few lines. Every line of the two files counts, imports, comments and blank lines
 * included; only the package declaration and the class's own name are taken as equal. A line that stands in the ZeRO program
 * and not in the plain one counts one, whether it is new or replaces others. Lines that only go are not counted, since nothing
 * has to be written for them; README.md shows them all.
 */
class FewLinesTest {
    private static final Path SOURCES = Path.of("src/main/java/examples");
    private static final int MOST = 5;

    private static LineDiff diff() throws IOException {
        return LineDiff.of(program("plain", "PlainTraining"), program("zero", "ZeroTraining"));
    }

    private static List<String> program(String folder, String name) throws IOException {
        return Files.readAllLines(SOURCES.resolve(folder).resolve(name + ".java")).stream()
                .filter(line -> !line.startsWith("package "))
                .map(line -> line.replace(name, "Training"))
                .toList();
    }

    @Test
    void fiveLinesMakeAPlainProgramOneOnZero() throws IOException {
        LineDiff diff = diff();
        assertTrue(diff.written() > 0 && diff.written() <= MOST, String.join("\n", diff.edits()));
    }

    @Test
    void theModelKnowsNothingOfZero() throws IOException {
        try (Stream<Path> files = Files.list(SOURCES.resolve("model"))) {
            List<Path> model = files.toList();
            assertFalse(model.isEmpty());
            for (Path file : model) {
                assertFalse(Files.readString(file).contains("ds.zero"), file.toString());
            }
        }
    }

    @Test
    void theReadmeShowsThisDiff() throws IOException {
        var block =
                Pattern.compile("```diff\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(Path.of("README.md")));
        assertTrue(block.find(), "no diff in README.md");
        List<String> shown = block.group(1)
                .lines()
                .filter(line -> line.startsWith("+") || line.startsWith("-"))
                .toList();
        assertEquals(diff().edits(), shown);
    }
}
