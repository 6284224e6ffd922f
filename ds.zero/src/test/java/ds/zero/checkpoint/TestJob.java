package ds.zero.checkpoint;

import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.checkpoint.Checkpointer.Content;
import ds.zero.checkpoint.Checkpointer.OnFailure;
import ds.zero.checkpoint.Checkpointer.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Ranks of this JVM that save and load.
 *
 * @param settings of their checkpointers
 * @param disk that they all write to
 */
record TestJob(Settings settings, Disk disk) {
    static final Map<String, String> TEXTS = Map.of("config.json", "{\"seed\": 1}\n");

    static TestJob in(Path folder) {
        return new TestJob(new Settings(folder, 2, false, OnFailure.FAIL), Disk.REAL);
    }

    TestJob with(Disk other) {
        return new TestJob(settings, other);
    }

    TestJob asynchronous() {
        return new TestJob(new Settings(settings.folder(), settings.keepLast(), true, settings.onFailure()), disk);
    }

    TestJob warning() {
        return new TestJob(new Settings(settings.folder(), settings.keepLast(), true, OnFailure.WARN), disk);
    }

    /** What a rank does with its checkpointer. */
    @FunctionalInterface
    interface Body {
        void run(Checkpointer checkpointer, int rank) throws Exception;
    }

    void run(int ranks, Body body) throws Exception {
        InProcessCommunicators.run(ranks, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    Checkpointer checkpointer = Checkpointer.open(settings, backend, communicator, disk)) {
                body.run(checkpointer, communicator.rank());
            }
        });
    }

    /** Saves Adam's training after that step, in the version of that number, dealt to so many ranks. */
    void save(int ranks, int step) throws Exception {
        run(ranks, (checkpointer, rank) -> save(checkpointer, rank, ranks, step));
    }

    static void save(Checkpointer checkpointer, int rank, int ranks, int step) {
        checkpointer.save(CheckpointFolder.tagOf(step), content(rank, ranks, step));
    }

    static Content content(int rank, int ranks, int step) {
        return content(TestTraining.adam(), rank, ranks, step);
    }

    static Content content(TestTraining training, int rank, int ranks, int step) {
        return new Content(training.shard(rank, ranks, step), TestTraining.state(step), TEXTS);
    }

    Path step(int step) {
        return settings.folder().resolve(CheckpointFolder.tagOf(step));
    }

    /** {@return the bytes of all files below a folder, by their path} */
    static Map<String, byte[]> files(Path folder) throws IOException {
        Map<String, byte[]> files = new TreeMap<>();
        try (Stream<Path> tree = Files.walk(folder)) {
            for (Path file : tree.filter(Files::isRegularFile).toList()) {
                files.put(folder.relativize(file).toString(), Files.readAllBytes(file));
            }
        }
        return files;
    }
}
