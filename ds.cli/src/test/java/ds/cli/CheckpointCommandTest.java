package ds.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.safetensors.SafetensorsFile;
import ds.safetensors.SafetensorsFolder;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A run of one rank in this process: it goes on where it ended, and its checkpoints have other forms. */
class CheckpointCommandTest {
    private final CapturedConsole captured = new CapturedConsole();

    @TempDir
    private Path folder;

    private Path run;

    @BeforeEach
    void train() throws IOException {
        run = folder.resolve("run");
        Files.writeString(folder.resolve("text.txt"), "Not all those who wander are lost. ".repeat(40));
        assertEquals(0, train(6), captured.err());
    }

    /** {@return the exit code of a run of so many steps in the folder} */
    private int train(int steps, String... more) throws IOException {
        Path config = folder.resolve("config.json");
        Files.writeString(config, """
                {"train_batch_size": 4, "gradient_clipping": 1.0,
                 "optimizer": {"type": "AdamW", "params": {"lr": 1e-3}},
                 "ds": {"model": {"layers": 1, "channels": 16, "heads": 2, "positions": 16, "dropout": 0.1},
                        "data": {"text": ["%s"]}, "checkpoint": {"every": 2, "keep_last": 3},
                        "train": {"steps": %d, "evaluate_every": 3, "sample_tokens": 0}}}
                """.formatted(folder.resolve("text.txt"), steps));
        List<String> arguments =
                new ArrayList<>(List.of("train", "--config", config.toString(), "--out", run.toString()));
        arguments.addAll(List.of(more));
        return captured.ds(arguments.toArray(String[]::new));
    }

    private List<String> metrics() throws IOException {
        List<String> steps = new ArrayList<>();
        for (String line : Files.readAllLines(run.resolve("metrics.jsonl"))) {
            JsonNode node = JsonMapper.shared().readTree(line);
            steps.add(node.get("step").asInt()
                    + (node.has("loss") ? " loss " + node.get("loss") : " validation " + node.get("validation_loss")));
        }
        return steps;
    }

    @Test
    void aLongerRunGoesOnAndWritesEveryStepOnce() throws IOException {
        Files.writeString(
                run.resolve("metrics.jsonl"),
                "{\"step\":7,\"loss\":1}\n{\"step\":8,\"lo",
                StandardOpenOption.APPEND); // what a killed run leaves: a step too many, and half a line
        Files.writeString(run.resolve("metrics.csv"), "7,1,1,1,false,1,1,1,1,1\n8,1", StandardOpenOption.APPEND);
        assertEquals(0, train(10), captured.err());
        assertTrue(captured.err().contains("resume: after step 6, from " + run), captured.err());
        List<String> resumed = metrics();
        assertEquals(11, Files.readAllLines(run.resolve("metrics.csv")).size());
        byte[] model = Files.readAllBytes(run.resolve("model/model.safetensors"));
        run = folder.resolve("whole");
        assertEquals(0, train(10), captured.err());
        assertEquals(metrics(), resumed); // step 6, the last of the shorter run, is evaluated in both
        assertArrayEquals(Files.readAllBytes(run.resolve("model/model.safetensors")), model);
    }

    @Test
    void freshRefusesAFolderWithARun() throws IOException {
        List<String> before = metrics();
        assertEquals(1, train(10, "--fresh"));
        assertTrue(captured.err().contains("--out = " + run), captured.err());
        assertEquals(before, metrics());
    }

    @Test
    void listNamesThemWithTheirSteps() {
        assertEquals(0, captured.ds("checkpoint", "list", run.toString()));
        assertTrue(captured.out().contains("step-00000002"), captured.out());
        CapturedConsole json = new CapturedConsole();
        assertEquals(0, json.ds("checkpoint", "list", run.toString(), "--json"));
        JsonNode list = JsonMapper.shared().readTree(json.out());
        assertEquals(3, list.size());
        assertEquals(6, list.get(2).get("step").asInt());
        assertEquals(24, list.get(2).get("samples").asInt());
        assertEquals("complete", list.get(2).get("state").asString());
    }

    @Test
    void verifyFindsAFlippedBit() throws IOException {
        assertEquals(0, captured.ds("checkpoint", "verify", run.toString()), captured.err());
        assertTrue(captured.out().contains("step-00000006: intact"), captured.out());
        Path shard = run.resolve("checkpoints/step-00000004/shard-00000-of-00001.safetensors");
        byte[] bytes = Files.readAllBytes(shard);
        bytes[bytes.length / 2] ^= 4;
        Files.write(shard, bytes);
        CapturedConsole again = new CapturedConsole();
        assertEquals(1, again.ds("checkpoint", "verify", run.toString()));
        assertTrue(again.out().contains("step-00000004: damaged"), again.out());
        assertTrue(again.out().contains("step-00000006: intact"), again.out());
        assertTrue(again.err().contains(shard + ": tensor "), again.err());
    }

    @Test
    void exportOfTheLastCheckpointIsTheModelOfTheRun() throws IOException {
        Path out = folder.resolve("exported");
        assertEquals(0, captured.ds("checkpoint", "export", run.toString(), "--out", out.toString()), captured.err());
        assertArrayEquals(
                Files.readAllBytes(run.resolve("model/config.json")), Files.readAllBytes(out.resolve("config.json")));
        try (SafetensorsFile expected = SafetensorsFile.open(run.resolve("model/model.safetensors"));
                SafetensorsFile actual = SafetensorsFile.open(out.resolve("model.safetensors"))) {
            assertEquals(expected.tensors().keySet(), actual.tensors().keySet());
            actual.tensors()
                    .keySet()
                    .forEach(name -> assertEquals(-1, expected.data(name).mismatch(actual.data(name)), name));
        }
    }

    @Test
    void consolidatedTensorsAreWhole() throws IOException {
        Path out = folder.resolve("whole");
        assertEquals(
                0,
                captured.ds(
                        "checkpoint", "consolidate", run.toString(), "--out", out.toString(), "--max-file-gb", "1e-5"),
                captured.err());
        assertFalse(Files.exists(out.resolve("model.safetensors")), "10 kB a file");
        try (SafetensorsFile model = SafetensorsFile.open(run.resolve("model/model.safetensors"));
                SafetensorsFolder whole = SafetensorsFolder.open(out)) {
            assertTrue(whole.files().size() > 1);
            assertEquals(model.tensors().size(), whole.tensors().size());
            whole.tensors().forEach((name, info) -> {
                assertEquals(-1, model.data("transformer." + name).mismatch(whole.data(name)), name);
                assertEquals(model.info("transformer." + name).dims(), info.dims());
            });
        }
        var states = new HashSet<String>();
        JsonMapper.shared()
                .readTree(out.resolve("optimizer.safetensors.index.json"))
                .get("weight_map")
                .properties()
                .forEach(entry -> states.add(entry.getKey()));
        assertTrue(states.contains("exp_avg_sq/h.0.attn.c_attn.weight"), states::toString);
        String file = JsonMapper.shared()
                .readTree(out.resolve("optimizer.safetensors.index.json"))
                .get("weight_map")
                .get("exp_avg_sq/wte.weight")
                .asString();
        try (SafetensorsFile optimizer = SafetensorsFile.open(out.resolve(file))) {
            float[] squares = optimizer.data("exp_avg_sq/wte.weight").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
            assertEquals(257 * 16, squares.length);
            assertTrue(squares['w' * 16] > 0 && squares['#' * 16] >= 0, "'w' is in the text");
        }
    }
}
