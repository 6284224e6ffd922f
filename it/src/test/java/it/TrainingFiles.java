package it;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.json.JsonMapper;

/**
 * English text in three files, and configurations of a small GPT to train on it.
 *
 * @param folder of the files; where the commands run
 */
record TrainingFiles(Path folder) {
    private static final Path PROSE = Path.of("..", "LICENSE").toAbsolutePath().normalize();
    private static final int FILES = 3;

    /** {@return the folder, with {@code text/} in it} */
    static TrainingFiles in(Path folder) throws IOException {
        Path text = Files.createDirectory(folder.resolve("text"));
        List<String> lines = Files.readAllLines(PROSE);
        for (int i = 0; i < FILES; i++) {
            Files.write(
                    text.resolve("part" + i + ".txt"),
                    lines.subList(i * lines.size() / FILES, (i + 1) * lines.size() / FILES));
        }
        return new TrainingFiles(folder);
    }

    /** {@return the name of a configuration file, made of these blocks} Blocks that are not given are those of a short run. */
    String config(String name, Map<String, ?> changes) throws IOException {
        Map<String, Object> config = new TreeMap<>(Map.of(
                "train_batch_size",
                12,
                "gradient_accumulation_steps",
                2,
                "gradient_clipping",
                1.0,
                "zero_optimization",
                Map.of("stage", 2),
                "optimizer",
                Map.of("type", "AdamW", "params", Map.of("lr", 1e-3)),
                "ds",
                ds(8, Map.of())));
        config.putAll(changes);
        Files.writeString(folder.resolve(name), JsonMapper.shared().writeValueAsString(config));
        return name;
    }

    /** {@return the step and the loss, or the loss of an evaluation, of each line that a run has written, with all digits} */
    List<String> losses(String out) throws IOException {
        return Files.readAllLines(folder.resolve(out).resolve("metrics.jsonl")).stream()
                .map(line -> JsonMapper.shared().readTree(line))
                .map(node -> node.get("step") + " " + node.path("loss") + node.path("validation_loss"))
                .toList();
    }

    /** {@return the block {@code "ds"} of a run with so many steps, with other values for some of its keys} */
    static Map<String, Object> ds(int steps, Map<String, ?> changes) {
        Map<String, Object> block = new TreeMap<>(Map.of(
                "model", Map.of("layers", 2, "channels", 32, "heads", 2, "positions", 32),
                "data", Map.of("text", List.of("text")),
                "train", Map.of("steps", steps, "evaluate_every", 4, "sample_tokens", 20)));
        block.putAll(changes);
        return block;
    }
}
