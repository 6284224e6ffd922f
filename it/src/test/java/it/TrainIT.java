package it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Text in, model out: {@code ds launch … train}, {@code export} and {@code generate}, on one, two and three ranks. */
class TrainIT {
    private static final int STEPS = 8;

    /**
     * Gradients differ by the order of F32 sums, a few 2^-24 of the largest element. AdamW moves an element by at most about
     * lr, uncertain by lr times its gradient's relative error; weighted with the gradient that is lr times the absolute error,
     * summed over 30 000 elements of gradients clipped to norm 1 some 2e-7 a step. Losses of 5 are themselves rounded to 5e-7.
     */
    private static final double LOSS_BOUND = 1e-5;

    @TempDir
    private Path folder;

    @Test
    void anyNumberOfRanksTrainsTheSameModelWhichLoadsAgain() throws Exception {
        TrainingFiles files = TrainingFiles.in(folder);
        String alone = files.config("alone.json", Map.of("zero_optimization", Map.of("stage", 0)));
        String sharded = files.config("sharded.json", Map.of());
        DsProcess.run(folder, "train", "--config", alone, "--out", "ranks1")
                .exits(0)
                .says("validation loss: ", "bits per byte: ", "run folder: ranks1");
        List<Double> expected = assertComplete("ranks1", alone);
        assertTrue(expected.getLast() < expected.getFirst(), () -> "no progress: " + expected);
        for (int ranks = 2; ranks <= 3; ranks++) {
            String out = "ranks" + ranks;
            DsProcess.run(
                            folder,
                            "launch",
                            "--ranks",
                            Integer.toString(ranks),
                            "--",
                            "train",
                            "--config",
                            sharded,
                            "--out",
                            out)
                    .exits(0)
                    .says("run folder: " + out);
            List<Double> losses = assertComplete(out, sharded);
            for (int i = 0; i < expected.size(); i++) {
                assertEquals(expected.get(i), losses.get(i), LOSS_BOUND, out + ", loss " + i);
            }
        }
        assertModelLoads("ranks3");
    }

    /** GPT-2 with 124M parameters: a small one of its kind is trained first, and steps have their memory. */
    @Test
    void aLargeModelIsRehearsed() throws Exception {
        Map<String, Object> block = TrainingFiles.ds(2, Map.of("model", Map.of("preset", "gpt2-124m")));
        block.put("data", Map.of("text", List.of("text"), "tokenizer", "gpt2", "validation_fraction", 0.05));
        block.put("train", Map.of("steps", 2, "evaluate_every", 2, "sequence_length", 32));
        String config = TrainingFiles.in(folder)
                .config("large.json", Map.of("ds", block, "train_batch_size", 1, "gradient_accumulation_steps", 1));
        DsProcess.Result result = DsProcess.run(
                        folder, "train", "--config", config, "--out", "large", "--log-level", "debug")
                .exits(0)
                .says("run folder: large");
        assertTrue(
                Pattern.compile("rehearsed [1-9][0-9]* steps")
                        .matcher(result.err())
                        .find(),
                result::toString);
    }

    @Test
    void layersSplitOverRanksTrainTheSameModelWhichLoadsAgain() throws Exception {
        TrainingFiles files = TrainingFiles.in(folder);
        String alone = files.config("alone.json", Map.of("zero_optimization", Map.of("stage", 0)));
        DsProcess.run(folder, "train", "--config", alone, "--out", "whole").exits(0);
        List<Double> expected = assertComplete("whole", alone);
        Map<String, Object> changes = stage3(Map.of());
        changes.put("tensor_parallel", Map.of("autotp_size", 2));
        String split = files.config("split.json", changes);
        DsProcess.run(folder, "launch", "--ranks", "4", "--", "train", "--config", split, "--out", "split")
                .exits(0)
                .says("run folder: split");
        List<Double> losses = assertComplete("split", split);
        for (int i = 0; i < expected.size(); i++) {
            assertEquals(expected.get(i), losses.get(i), LOSS_BOUND, "loss " + i);
        }
        assertModelLoads("split");
    }

    @Test
    void weightsAndStatesInFilesWithRecomputationTrainTheSameModel() throws Exception {
        TrainingFiles files = TrainingFiles.in(folder);
        DsProcess.run(folder, "train", "--config", files.config("memory.json", stage3(Map.of())), "--out", "memory")
                .exits(0);
        Map<String, ?> nvme = Map.of("device", "nvme", "nvme_path", "swap");
        Map<String, Object> changes = stage3(Map.of("offload_optimizer", nvme, "offload_param", nvme));
        changes.put("activation_checkpointing", Map.of("number_checkpoints", 2));
        String config = files.config("files.json", changes);
        DsProcess.run(folder, "launch", "--ranks", "2", "--", "train", "--config", config, "--out", "files")
                .exits(0);
        List<Double> expected = assertComplete("memory", "memory.json");
        List<Double> losses = assertComplete("files", config);
        for (int i = 0; i < expected.size(); i++) {
            assertEquals(expected.get(i), losses.get(i), LOSS_BOUND, "loss " + i);
        }
        try (Stream<Path> left = Files.list(folder.resolve("swap"))) {
            assertEquals(0, left.count(), "files are removed");
        }
    }

    private static Map<String, Object> stage3(Map<String, ?> more) {
        Map<String, Object> zero = new TreeMap<>(more);
        zero.put("stage", 3);
        zero.put("stage3_param_persistence_threshold", 0);
        return new TreeMap<>(Map.of("zero_optimization", zero));
    }

    /** {@return the losses of the steps and evaluations} after a look at everything that a run leaves behind. */
    private List<Double> assertComplete(String out, String config) throws Exception {
        Path run = folder.resolve(out);
        assertEquals(Files.readString(folder.resolve(config)), Files.readString(run.resolve("config.json")));
        assertTrue(JsonMapper.shared().readTree(run.resolve("resolved.json")).isObject());
        JsonNode shape = JsonMapper.shared().readTree(run.resolve("model/config.json"));
        assertEquals(257, shape.get("vocab_size").asInt());
        assertTrue(Files.size(run.resolve("model/model.safetensors")) > 0);
        List<Double> losses = new ArrayList<>();
        List<Double> evaluations = new ArrayList<>();
        for (String line : Files.readAllLines(run.resolve("metrics.jsonl"))) {
            JsonNode metric = JsonMapper.shared().readTree(line);
            if (metric.has("loss")) {
                losses.add(metric.get("loss").asDouble());
                assertEquals(losses.size(), metric.get("step").asInt());
            } else {
                evaluations.add(metric.get("validation_loss").asDouble());
            }
        }
        assertEquals(STEPS, losses.size());
        assertEquals(2, evaluations.size());
        assertEquals(losses, lossesOfTable(run.resolve("metrics.csv")));
        losses.addAll(evaluations);
        return losses;
    }

    private static List<Double> lossesOfTable(Path csv) throws Exception {
        List<String> lines = Files.readAllLines(csv);
        int column = List.of(lines.getFirst().split(",", -1)).indexOf("loss");
        return lines.stream()
                .skip(1)
                .map(line -> Double.valueOf(line.split(",", -1)[column]))
                .toList();
    }

    private void assertModelLoads(String run) throws Exception {
        DsProcess.run(folder, "export", "--run", run, "--dtype", "bf16", "--out", "exported")
                .exits(0)
                .says("read back and compared");
        DsProcess.Result result =
                DsProcess.run(folder, "generate", "--model", "exported", "--prompt", "Licensor", "--tokens", "12");
        result.exits(0).says("tokens, ", "per second");
        assertTrue(result.out().startsWith("Licensor"), result::out);
        assertTrue(result.out().strip().length() > "Licensor".length(), result::out);
    }
}
