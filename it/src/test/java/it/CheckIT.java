package it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code ds check} against what PyTorch computed, on real ranks. */
class CheckIT {
    private static final Path REFERENCE = Path.of("..", "ds.models.gpt", "src", "test", "resources", "gpt2-tiny")
            .toAbsolutePath()
            .normalize();

    /** Any two runs agree within this, by the requirement; relative to the largest magnitude, and losses absolutely. */
    private static final double AGREEMENT = 1e-5;

    @TempDir
    private Path folder;

    private DsProcess.Result check(Path reference, int ranks, int stage, String dtype) throws Exception {
        return DsProcess.run(
                folder,
                "check",
                reference.toString(),
                "--ranks",
                Integer.toString(ranks),
                "--stage",
                Integer.toString(stage),
                "--dtype",
                dtype);
    }

    private JsonNode passed(int ranks, int stage, String dtype) throws Exception {
        return passed(ranks, stage, dtype, check(REFERENCE, ranks, stage, dtype));
    }

    private static JsonNode passed(int ranks, int stage, String dtype, DsProcess.Result result) throws Exception {
        result.exits(0);
        JsonNode line = JsonMapper.shared().readTree(result.out());
        assertTrue(line.get("ok").asBoolean(), result::out);
        assertEquals(ranks, line.get("ranks").asInt());
        assertEquals(stage, line.get("stage").asInt());
        assertEquals(dtype, line.get("dtype").asString());
        return line;
    }

    @Test
    void everyStageOnAnyRanksIsPyTorchAndTheOthers() throws Exception {
        List<JsonNode> runs = new ArrayList<>();
        for (int[] ranksAndStage : new int[][] {{1, 0}, {2, 1}, {4, 2}, {1, 3}, {2, 3}, {4, 3}}) {
            runs.add(passed(ranksAndStage[0], ranksAndStage[1], "fp32"));
        }
        for (JsonNode run : runs) {
            // Two that are half as far from the reference are no farther from each other.
            assertTrue(run.get("logits_error").asDouble() <= AGREEMENT / 2, run::toString);
            assertTrue(run.get("gradient_error").asDouble() <= AGREEMENT / 2, run::toString);
            JsonNode losses = run.get("losses");
            JsonNode first = runs.getFirst().get("losses");
            assertEquals(first.size(), losses.size());
            for (int i = 0; i < first.size(); i++) {
                assertEquals(first.get(i).asDouble(), losses.get(i).asDouble(), AGREEMENT, run::toString);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"2, 2, bf16", "4, 3, bf16", "1, 0, bf16", "2, 3, fp16", "4, 1, fp16", "1, 3, fp16"})
    void sixteenBitsArePyTorchToo(int ranks, int stage, String dtype) throws Exception {
        passed(ranks, stage, dtype);
    }

    @ParameterizedTest
    @CsvSource({"4, 2, 3, fp32", "2, 2, 0, fp32", "2, 2, 1, bf16"})
    void splitLayersArePyTorchToo(int ranks, int tensorParallel, int stage, String dtype) throws Exception {
        DsProcess.Result result = DsProcess.run(
                folder,
                "check",
                REFERENCE.toString(),
                "--ranks",
                Integer.toString(ranks),
                "--tensor-parallel",
                Integer.toString(tensorParallel),
                "--stage",
                Integer.toString(stage),
                "--dtype",
                dtype);
        JsonNode line = passed(ranks, stage, dtype, result);
        assertEquals(tensorParallel, line.get("tensor_parallel").asInt());
    }

    @Test
    void oneDamagedWeightIsSeen() throws Exception {
        Path damaged = copy(folder.resolve("damaged"));
        Path file = damaged.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int header = Math.toIntExact(data.getLong(0));
        JsonNode entry = JsonMapper.shared()
                .readTree(new String(bytes, Long.BYTES, header, StandardCharsets.UTF_8))
                .get("transformer.h.1.mlp.c_proj.weight");
        int element = Long.BYTES + header + entry.get("data_offsets").get(0).asInt();
        data.putFloat(element, data.getFloat(element) + 0.5f);
        Files.write(file, bytes);

        DsProcess.Result result = check(damaged, 1, 0, "fp32").exits(1);
        assertFalse(JsonMapper.shared().readTree(result.out()).get("ok").asBoolean(), result::out);
    }

    private static Path copy(Path target) throws Exception {
        Files.createDirectory(target);
        try (Stream<Path> files = Files.list(REFERENCE)) {
            for (Path file : files.toList()) {
                Files.copy(file, target.resolve(file.getFileName()));
            }
        }
        return target;
    }

    @Test
    void ranksThatDoNotDivideTheSequencesAreRefused() throws Exception {
        check(REFERENCE, 3, 0, "fp32").exits(1).says("--ranks = 3: must divide the 8 sequences of a step");
    }
}
