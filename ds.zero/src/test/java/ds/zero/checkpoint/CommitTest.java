package ds.zero.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ds.safetensors.SafetensorsWriter;
import ds.zero.checkpoint.Checkpointer.What;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A run that is killed, or whose disk is full, at any operation: the old checkpoints or the new one, never a half. */
class CommitTest {
    private static final Path FULL = Path.of("/dev/full");

    @TempDir
    private Path folder;

    /** Counts operations, and from the given one on does none: as if all processes had been killed just before it. */
    private static final class Mortal implements Disk {
        private final AtomicInteger operations = new AtomicInteger();
        private final int killedAt;

        Mortal(int killedAt) {
            this.killedAt = killedAt;
        }

        private void next() {
            if (operations.incrementAndGet() >= killedAt) {
                throw new Killed();
            }
        }

        @Override
        public void createFolder(Path path) throws IOException {
            next();
            Disk.super.createFolder(path);
        }

        @Override
        public SafetensorsWriter openShard(Path file, List<SafetensorsWriter.Entry> tensors) throws IOException {
            next();
            return Disk.super.openShard(file, tensors);
        }

        @Override
        public void append(SafetensorsWriter shard, String tensor, MemorySegment bytes) throws IOException {
            next();
            Disk.super.append(shard, tensor, bytes);
        }

        @Override
        public void commit(SafetensorsWriter shard) throws IOException {
            next();
            Disk.super.commit(shard);
        }

        @Override
        public void writeFile(Path file, byte[] bytes) throws IOException {
            next();
            Disk.super.writeFile(file, bytes);
        }

        @Override
        public void forceFolder(Path path) throws IOException {
            next();
            Disk.super.forceFolder(path);
        }

        @Override
        public void rename(Path from, Path to) throws IOException {
            next();
            Disk.super.rename(from, to);
        }

        @Override
        public void delete(Path path) throws IOException {
            next();
            Disk.super.delete(path);
        }
    }

    private static final class Killed extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    /** Old and new checkpoint, with the tag of the new one: another step, or the same name again. */
    private record Scenario(int ranks, String firstTag, String secondTag) {
        void saveFirst(Path folder) throws Exception {
            TestJob.in(folder).run(ranks, (checkpointer, rank) -> {
                checkpointer.save("step-00000010", content(rank, 10)); // the one that retention deletes
                checkpointer.save(firstTag, content(rank, 20));
            });
        }

        void saveSecond(TestJob job) throws Exception {
            job.run(ranks, (checkpointer, rank) -> checkpointer.save(secondTag, content(rank, 30)));
        }

        private Checkpointer.Content content(int rank, int step) {
            return TestJob.content(TestTraining.small(), rank, ranks, step);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aKillBetweenAnyTwoOperationsLeavesTheOldOrTheNewCheckpoint(int ranks) throws Exception {
        killEverywhere(new Scenario(ranks, "step-00000020", "step-00000030"));
    }

    @Test
    void theSameForATagThatIsSavedAnew() throws Exception {
        killEverywhere(new Scenario(2, "best", "best"));
    }

    private void killEverywhere(Scenario scenario) throws Exception {
        boolean finished = false;
        List<Integer> seen = new ArrayList<>();
        for (int k = 1; !finished; k++) {
            Path place = folder.resolve("killed-at-" + k);
            scenario.saveFirst(place);
            Mortal disk = new Mortal(k);
            try {
                scenario.saveSecond(TestJob.in(place).with(disk));
                finished = disk.operations.get() < k;
            } catch (Killed | CheckpointException e) {
                assertTrue(disk.operations.get() >= k, e::toString);
            }
            seen.add(check(place, scenario));
            TestJob.in(place).run(2, (checkpointer, rank) -> {}); // the next start
            assertEquals(seen.getLast(), check(place, scenario), "cleaning up changes nothing that is complete");
            try (var entries = Files.list(place)) {
                List<String> hidden = entries.map(path -> path.getFileName().toString())
                        .filter(name -> name.startsWith(".") && !name.equals(".lock"))
                        .toList();
                assertEquals(List.of(), hidden, "left over after a kill at " + k);
            }
        }
        assertTrue(seen.size() > 20 && seen.getFirst() == 20 && seen.getLast() == 30, seen::toString);
        assertEquals(seen.stream().sorted().toList(), seen, "once the new one is there it stays");
    }

    /** {@return the version that the newest of the two tags has} All that is listed must be intact. */
    private static int check(Path place, Scenario scenario) {
        var all = new CheckpointFolder(place).checkpoints();
        all.values()
                .forEach(path -> assertEquals(List.of(), Checkpoint.open(path).verify(bytes -> {}), path::toString));
        Path newest = all.getOrDefault(scenario.secondTag(), all.get(scenario.firstTag()));
        Checkpoint checkpoint = Checkpoint.open(newest);
        RankPieces loaded = TestTraining.small().shard(0, 1, 0);
        checkpoint.load(loaded, What.EVERYTHING);
        int version = (int) checkpoint.training().step();
        TestTraining.assertVersion(version, loaded);
        return version;
    }

    /** The device that is always full: the system itself refuses the write of rank 1's shard. */
    private static final Disk FULL_FOR_RANK_1 = new Disk() {
        @Override
        public SafetensorsWriter openShard(Path file, List<SafetensorsWriter.Entry> tensors) throws IOException {
            if (file.getFileName().toString().startsWith("shard-00001")) {
                Files.createSymbolicLink(file.resolveSibling(file.getFileName() + ".tmp"), FULL);
            }
            return Disk.super.openShard(file, tensors);
        }
    };

    @Test
    void aFullDiskOnOneRankIsToldOnAllAndHarmsNothing() throws Exception {
        assumeTrue(Files.exists(FULL));
        TestJob job = TestJob.in(folder).asynchronous();
        job.save(3, 10);
        AtomicInteger told = new AtomicInteger();
        job.with(FULL_FOR_RANK_1).run(3, (checkpointer, rank) -> {
            TestJob.save(checkpointer, rank, 3, 20);
            CheckpointException e = assertThrows(CheckpointException.class, checkpointer::await);
            for (String word : List.of("rank 1", "No space left on device", "shard-00001", "free space", "earlier")) {
                assertTrue(e.getMessage().contains(word), () -> word + " in " + e.getMessage());
            }
            told.incrementAndGet();
        });
        assertEquals(3, told.get());
        assertEquals(
                List.of(job.step(10)),
                List.copyOf(new CheckpointFolder(folder).checkpoints().values()));
        assertEquals(List.of(), Checkpoint.open(job.step(10)).verify(bytes -> {}));
        try (var entries = Files.list(folder)) {
            assertEquals(2, entries.count(), "nothing is left of the failed one");
        }
    }

    @Test
    void aRunThatOnlyWarnsGoesOnAndSavesLater() throws Exception {
        assumeTrue(Files.exists(FULL));
        AtomicInteger saves = new AtomicInteger();
        Disk fullAtFirst = new Disk() {
            @Override
            public SafetensorsWriter openShard(Path file, List<SafetensorsWriter.Entry> tensors) throws IOException {
                return saves.getAndIncrement() == 0
                        ? FULL_FOR_RANK_1.openShard(file.resolveSibling("shard-00001"), tensors)
                        : Disk.super.openShard(file, tensors);
            }
        };
        TestJob job = TestJob.in(folder).warning().with(fullAtFirst);
        job.run(1, (checkpointer, rank) -> {
            TestJob.save(checkpointer, rank, 1, 10);
            TestJob.save(checkpointer, rank, 1, 20);
        });
        assertEquals(
                List.of(job.step(20)),
                List.copyOf(new CheckpointFolder(folder).checkpoints().values()));
    }

    @Test
    void whatDoesNotFitIsRefusedBeforeAByteIsWritten() {
        Disk small = new Disk() {
            @Override
            public long usableBytes(Path path) {
                return 1_000_000;
            }

            @Override
            public SafetensorsWriter openShard(Path file, List<SafetensorsWriter.Entry> tensors) {
                throw new UncheckedIOException(new IOException("not to be called"));
            }
        };
        CheckpointException e = assertThrows(
                CheckpointException.class, () -> TestJob.in(folder).with(small).save(2, 10));
        assertTrue(e.getMessage().contains("1,000,000 left"), e.getMessage());
        assertFalse(Files.exists(folder.resolve("step-00000010")));
    }
}
