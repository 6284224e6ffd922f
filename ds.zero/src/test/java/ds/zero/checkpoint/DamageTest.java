package ds.zero.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.layer.Parameter;
import ds.zero.checkpoint.Checkpointer.What;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever happens to the files: an error with a name, never a wrong number. */
class DamageTest {
    private static final int FLIPS = 24;

    @TempDir
    private Path folder;

    private Path step;

    @BeforeEach
    void save() throws Exception {
        TestJob job = TestJob.in(folder);
        job.save(2, 60);
        step = job.step(60);
    }

    private CheckpointException loadFails() {
        return assertThrows(
                CheckpointException.class,
                () -> TestJob.in(folder).run(2, (checkpointer, rank) -> {
                    RankPieces mine = TestTraining.adam().shard(rank, 2, 0);
                    checkpointer.load(checkpointer.latest().orElseThrow(), mine, What.EVERYTHING);
                }));
    }

    private CheckpointException loadFails(String... words) {
        CheckpointException e = loadFails();
        for (String word : words) {
            assertTrue(e.getMessage().contains(word), () -> "no '" + word + "' in: " + e.getMessage());
        }
        return e;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "index.json",
                "training.json",
                "config.json",
                "shard-00000-of-00002.safetensors",
                "shard-00001-of-00002.safetensors"
            })
    void everyFlippedBitIsFound(String name) throws IOException {
        Path file = step.resolve(name);
        byte[] intact = Files.readAllBytes(file);
        long seed = 20;
        Random random = new Random(seed);
        for (int i = 0; i < FLIPS; i++) {
            // The first bytes, the last ones, and some between: the header is a small part of a shard.
            int at = i < 4 ? i : i < 8 ? intact.length - i + 3 : random.nextInt(i % 2 == 0 ? 2000 : intact.length);
            at = Math.min(at, intact.length - 1);
            byte[] damaged = intact.clone();
            damaged[at] ^= (byte) (1 << random.nextInt(8));
            Files.write(file, damaged);
            List<CheckpointException> found = damages();
            assertEquals(1, found.size(), "byte " + at + " of " + name + ", seed " + seed);
            assertTrue(found.getFirst().getMessage().contains(name), found.getFirst()::getMessage);
        }
        Files.write(file, intact);
        assertEquals(List.of(), damages());
    }

    private List<CheckpointException> damages() {
        try {
            return Checkpoint.open(step).verify(bytes -> {});
        } catch (CheckpointException e) {
            return List.of(e);
        }
    }

    @Test
    void aFlippedWeightIsNamedBeforeItIsUsed() throws IOException {
        Path file = step.resolve("shard-00001-of-00002.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 5] ^= 1; // the last tensor's last element but one
        Files.write(file, bytes);
        loadFails("rank 1", file.toString(), "exp_avg_sq/h.1.attn.weight@[0,35)", "checksum", "another checkpoint");
    }

    @Test
    void aTruncatedShardIsNamedWithItsSizes() throws IOException {
        Path file = step.resolve("shard-00000-of-00002.safetensors");
        long size = Files.size(file);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.truncate(size - 1);
        }
        loadFails(file.toString(), size - 1 + " bytes", size + " were written");
    }

    @Test
    void aMissingShardIsNamed() throws IOException {
        Path file = step.resolve("shard-00001-of-00002.safetensors");
        Files.delete(file);
        loadFails(file.toString(), "is missing");
    }

    @Test
    void withoutAnIndexItIsNoCheckpoint() throws IOException {
        Files.delete(step.resolve("index.json"));
        loadFails(step.resolve("index.json").toString(), "is missing");
    }

    @Test
    void swappedShardsAreFound() throws IOException {
        Path first = step.resolve("shard-00000-of-00002.safetensors");
        Path second = step.resolve("shard-00001-of-00002.safetensors");
        byte[] bytes = Files.readAllBytes(first);
        Files.write(first, Files.readAllBytes(second));
        Files.write(second, bytes);
        loadFails(first.toString());
    }

    @Test
    void anotherModelIsDescribedByItsDifferences() {
        List<Parameter> parameters = new ArrayList<>(TestTraining.PARAMETERS);
        parameters.set(1, TestTraining.parameter("h.0.attn.wieght", 17, 51));
        parameters.set(4, TestTraining.parameter("h.1.attn.weight", 7, 6));
        List<TestTraining.Memory> pieces = parameters.stream()
                .map(p -> new TestTraining.Memory(Piece.MASTER, p, 0, p.elements()))
                .toList();
        RankPieces other = new RankPieces(parameters, TestTraining.ADAM, pieces);
        CheckpointException e = assertThrows(
                CheckpointException.class, () -> Checkpoint.open(step).load(other, What.EVERYTHING));
        assertTrue(
                e.getMessage()
                        .contains("h.0.attn.wieght is not in the checkpoint (did you mean h.0.attn.weight?); "
                                + "h.1.attn.weight has shape [7, 5] in the checkpoint, [7, 6] in the model; "
                                + "h.0.attn.weight is not in the model (did you mean h.0.attn.wieght?)"),
                e.getMessage());
        assertTrue(pieces.stream().allMatch(piece -> piece.get(0) == 0), "nothing was loaded");
    }

    @Test
    void anotherOptimizerIsNamedWithItsStates() {
        RankPieces lion = new TestTraining(List.of(Piece.MASTER, "exp_avg", "lion_state"), TestTraining.PARAMETERS)
                .shard(0, 1, 0);
        CheckpointException e = assertThrows(
                CheckpointException.class, () -> Checkpoint.open(step).load(lion, What.EVERYTHING));
        for (String word : List.of("AdamW", "[lion_state]", "[exp_avg_sq]", "weights only")) {
            assertTrue(e.getMessage().contains(word), () -> word + " in " + e.getMessage());
        }
    }

    @Test
    void whatALaterVersionWroteIsRefusedWithItsName() {
        byte[] known = TestTraining.state(3).toJson("ds 9.9").getBytes(StandardCharsets.UTF_8);
        Path file = Path.of("training.json");
        assertEquals(TestTraining.state(3), TrainingState.parse(file, IndexJson.tree(file, known)));
        String later = new String(known, StandardCharsets.UTF_8).replace("\"updates\"", "\"ema\" : 1, \"updates\"");
        CheckpointException e = assertThrows(
                CheckpointException.class,
                () -> TrainingState.parse(file, IndexJson.tree(file, later.getBytes(StandardCharsets.UTF_8))));
        assertTrue(e.getMessage().contains("\"ema\", written by ds 9.9"), e.getMessage());
    }
}
