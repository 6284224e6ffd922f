package ds.zero.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.safetensors.SafetensorsFile;
import ds.safetensors.SafetensorsWriter;
import ds.zero.checkpoint.Checkpointer.What;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What ranks save, any ranks load; saving in the background changes nothing. */
class CheckpointerTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({"1,1", "1,3", "2,1", "2,2", "3,2", "2,5", "4,3"})
    void whatAnyNumberOfRanksSavesAnyNumberLoadsBitForBit(int writers, int readers) throws Exception {
        TestJob job = TestJob.in(folder);
        job.save(writers, 60);
        job.run(readers, (checkpointer, rank) -> {
            Path latest = checkpointer.latest().orElseThrow();
            RankPieces shard = TestTraining.adam().shard(rank, readers, 0);
            assertEquals(TestTraining.state(60), checkpointer.load(latest, shard, What.EVERYTHING));
            TestTraining.assertVersion(60, shard);
            RankPieces everything = TestTraining.adam().shard(0, 1, 0); // as at stage 0
            checkpointer.load(latest, everything, What.EVERYTHING);
            TestTraining.assertVersion(60, everything);
        });
    }

    @Test
    void weightsAloneLeaveTheStatesAsTheyAre() throws Exception {
        TestJob job = TestJob.in(folder);
        job.save(2, 60);
        job.run(1, (checkpointer, rank) -> {
            RankPieces mine =
                    new TestTraining(List.of(Piece.MASTER, "momentum_buffer"), TestTraining.PARAMETERS).shard(0, 1, 5);
            checkpointer.load(job.step(60), mine, What.WEIGHTS);
            TestTraining.assertVersion(60, mine.weightsOnly());
            List<? extends Piece> states = mine.pieces().stream()
                    .filter(piece -> !piece.kind().equals(Piece.MASTER))
                    .toList();
            TestTraining.assertVersion(5, new RankPieces(mine.parameters(), mine.kinds(), states));
        });
    }

    @Test
    void tensorsHaveNamesThatAStrangerCanRead() throws Exception {
        TestJob job = TestJob.in(folder);
        job.save(1, 60);
        try (SafetensorsFile file = SafetensorsFile.open(job.step(60).resolve("shard-00000-of-00001.safetensors"))) {
            assertEquals(List.of(51L), file.info("exp_avg/h.0.attn.bias@[0,51)").dims());
            assertEquals(15, file.tensors().size());
        }
    }

    @Test
    void theBackgroundWritesTheSameBytes() throws Exception {
        TestJob.in(folder.resolve("sync")).save(2, 60);
        TestJob.in(folder.resolve("async")).asynchronous().save(2, 60);
        Map<String, byte[]> expected = TestJob.files(folder.resolve("sync/step-00000060"));
        Map<String, byte[]> actual = TestJob.files(folder.resolve("async/step-00000060"));
        assertEquals(expected.keySet(), actual.keySet());
        assertEquals(
                List.of(
                        "config.json",
                        "index.json",
                        "shard-00000-of-00002.safetensors",
                        "shard-00001-of-00002.safetensors",
                        "training.json"),
                List.copyOf(actual.keySet()));
        expected.forEach((name, bytes) -> assertArrayEquals(bytes, actual.get(name), name));
    }

    @Test
    void trainingGoesOnWhileFilesAreWrittenAndChangesNothingInThem() throws Exception {
        CountDownLatch trained = new CountDownLatch(2);
        Disk slow = new Disk() {
            @Override
            public SafetensorsWriter openShard(Path file, List<SafetensorsWriter.Entry> tensors) throws IOException {
                try {
                    assertTrue(trained.await(60, TimeUnit.SECONDS), "save() does not return before files are written");
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
                return Disk.super.openShard(file, tensors);
            }
        };
        TestJob job = TestJob.in(folder).asynchronous();
        job.with(slow).run(2, (checkpointer, rank) -> {
            Checkpointer.Content content = TestJob.content(rank, 2, 60);
            checkpointer.save("step-00000060", content);
            content.pieces().pieces().forEach(piece -> ((TestTraining.Memory) piece).fill(61));
            trained.countDown();
        });
        RankPieces loaded = TestTraining.adam().shard(0, 1, 0);
        Checkpoint.open(job.step(60)).load(loaded, What.EVERYTHING);
        TestTraining.assertVersion(60, loaded);
    }

    @Test
    void oldStepsGoAndTagsStay() throws Exception {
        TestJob job = TestJob.in(folder);
        job.run(2, (checkpointer, rank) -> {
            for (int step = 10; step <= 50; step += 10) {
                TestJob.save(checkpointer, rank, 2, step);
                if (step == 20) {
                    checkpointer.save("best", TestJob.content(rank, 2, step));
                }
            }
        });
        assertEquals(
                List.of("step-00000040", "step-00000050", "best"),
                List.copyOf(new CheckpointFolder(folder).checkpoints().keySet()));
        assertEquals(Optional.of(job.step(50)), new CheckpointFolder(folder).latest());
        try (var entries = Files.list(folder)) {
            assertEquals(4, entries.count(), "three checkpoints and the lock");
        }
    }

    @Test
    void noSaveWaitsForTheEndOfOldCheckpoints() throws Exception {
        CountDownLatch saved = new CountDownLatch(1);
        Disk slow = new Disk() {
            @Override
            public void delete(Path path) throws IOException {
                try {
                    assertTrue(saved.await(60, TimeUnit.SECONDS), "save() waits for " + path + " to be deleted");
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
                Disk.super.delete(path);
            }
        };
        TestJob.in(folder).with(slow).run(2, (checkpointer, rank) -> {
            for (int step = 10; step <= 30; step += 10) {
                TestJob.save(checkpointer, rank, 2, step); // the third deletes the first
            }
            if (rank == 0) { // which takes the names away, when the others have gone on already
                assertEquals(
                        List.of("step-00000020", "step-00000030"),
                        List.copyOf(new CheckpointFolder(folder).checkpoints().keySet()));
                saved.countDown();
            }
            TestJob.save(checkpointer, rank, 2, 40);
            if (rank == 0) {
                try (var entries = Files.list(folder)) {
                    assertEquals(
                            0,
                            entries.filter(entry ->
                                            entry.getFileName().toString().startsWith(".step-00000010"))
                                    .count(),
                            "a save begins when the space of those before is free");
                }
            }
        });
    }

    @Test
    void aTagSavedAnewIsReplaced() throws Exception {
        TestJob job = TestJob.in(folder);
        job.run(2, (checkpointer, rank) -> {
            checkpointer.save("best", TestJob.content(rank, 2, 10));
            checkpointer.save("best", TestJob.content(rank, 2, 20));
        });
        Checkpoint best = Checkpoint.open(folder.resolve("best"));
        assertEquals(TestTraining.state(20), best.training());
        assertEquals(List.of(), best.verify(bytes -> {}));
        assertEquals(
                List.of("best"),
                List.copyOf(new CheckpointFolder(folder).checkpoints().keySet()));
    }

    @Test
    void ranksThatSaveDifferentTagsAreToldSo() {
        CheckpointException e = assertThrows(
                CheckpointException.class,
                () -> TestJob.in(folder)
                        .run(2, (checkpointer, rank) -> checkpointer.save("tag" + rank, TestJob.content(rank, 2, 10))));
        assertTrue(e.getMessage().contains("[tag0, tag1]"), e.getMessage());
        assertTrue(new CheckpointFolder(folder).checkpoints().isEmpty());
    }

    @Test
    void piecesThatLeaveAGapAreNoCheckpoint() {
        CheckpointException e = assertThrows(
                CheckpointException.class,
                () -> TestJob.in(folder)
                        .run(2, (checkpointer, rank) -> checkpointer.save("gap", TestJob.content(2 * rank, 3, 10))));
        assertTrue(e.getMessage().contains("wte.weight"), e.getMessage());
        assertFalse(Files.exists(folder.resolve("gap")));
    }

    @Test
    void aFolderInUseIsRefused() throws Exception {
        TestJob job = TestJob.in(folder);
        job.run(1, (checkpointer, rank) -> {
            CheckpointException e = assertThrows(CheckpointException.class, () -> job.save(2, 10));
            assertTrue(e.getMessage().contains("another run"), e.getMessage());
        });
        job.save(1, 10);
    }
}
