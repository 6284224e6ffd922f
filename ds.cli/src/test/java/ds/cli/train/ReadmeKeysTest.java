package ds.cli.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.zero.config.json.Setting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** README's table has the keys of block {@code ds} that a configuration can have, no more and no less. */
class ReadmeKeysTest {
    private static final Pattern KEY = Pattern.compile("`(ds\\.[a-z_.*]+|\\.[a-z]+)`");

    @TempDir
    private Path folder;

    @Test
    void tableHasAllKeysAndNoOther() throws IOException {
        Set<String> documented = documented();
        Set<String> read = new TreeSet<>(List.of("ds.backend_options.*", "ds.communicator_options.*", "ds.model.from"));
        read.addAll(read("\"model\": {\"preset\": \"gpt2-124m\"}"));
        read.addAll(read("\"model\": {\"layers\": 2}"));
        assertEquals(read, documented);
    }

    private Set<String> documented() throws IOException {
        Set<String> keys = new TreeSet<>();
        for (String line : Files.readAllLines(Path.of("..", "README.md"))) {
            if (line.startsWith("| `ds.")) {
                String first = "";
                String cell = line.substring(2, line.indexOf('|', 2));
                for (MatchResult found : KEY.matcher(cell).results().toList()) {
                    String key = found.group(1);
                    boolean whole = !key.startsWith(".");
                    first = whole ? key : first;
                    assertTrue(keys.add(whole ? key : first.substring(0, first.lastIndexOf('.')) + key), key);
                }
            }
        }
        return keys;
    }

    private List<String> read(String model) throws IOException {
        Path text = Files.writeString(folder.resolve("text.txt"), "text");
        Path file = Files.writeString(folder.resolve("config.json"), """
                {"train_batch_size": 8, "bf16": {"enabled": true}, "ds": {%1$s, "memory_limit": "1GiB", "ranks_per_host": 2,
                 "train": {"sample_prompt": "a"}, "checkpoint": {"folder": "%2$s"}, "data": {"text": ["%3$s"], "tokens": "%2$s"}}}
                """.formatted(model, folder, text));
        return RunConfig.parse(file, 2).settings().stream()
                .map(Setting::path)
                .filter(path -> path.startsWith("ds."))
                .toList();
    }
}
