package ds.bench;

import ds.api.DType;
import ds.api.comm.Rendezvous;
import ds.api.layer.Batch;
import ds.bench.measure.Statistics;
import ds.models.gpt.Gpt;
import ds.models.gpt.GptConfig;
import ds.zero.TrainingCheckpoints;
import ds.zero.ZeroEngine;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.config.Known;
import ds.zero.config.Precision;
import ds.zero.config.ZeroConfig;
import ds.zero.run.Stack;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.stream.Stream;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Checkpoints of a GPT: how long saving and loading take, how long training waits for a save in the background, and what the
 * same bytes take past the page cache, with nothing else to do. Kinds take turns, so that a disk that slows down slows all of them.
 */
public final class CheckpointBenchmark {
    private static final int BLOCK_BYTES = 4 << 20;
    private static final int DISK_THREADS = 3;
    private static final int SEQUENCE = 256; // of one sequence: a small step, so that a save has little time beside it
    private static final String TAG = "bench";

    private final CheckpointSetup setup;
    private final GptConfig shape;
    private final Rendezvous rendezvous;

    private final double[] rawWrite;
    private final double[] rawRead;
    private final double[] save;
    private final double[] stall;
    private final double[] background;
    private final double[] step;
    private final double[] stepBeside;
    private final double[] load;
    private boolean coldReads = true;

    private CheckpointBenchmark(CheckpointSetup setup, Rendezvous rendezvous) {
        this.setup = setup;
        this.shape = GptConfig.preset(setup.model());
        this.rendezvous = rendezvous;
        this.rawWrite = new double[setup.repeats()];
        this.rawRead = new double[setup.repeats()];
        this.save = new double[setup.repeats()];
        this.stall = new double[setup.repeats()];
        this.background = new double[setup.repeats()];
        this.step = new double[setup.repeats()];
        this.stepBeside = new double[setup.repeats()];
        this.load = new double[setup.repeats()];
    }

    /** {@return one line of JSON; all ranks run it, and rank 0's line is the result} */
    public static String run(CheckpointSetup setup, Rendezvous rendezvous) {
        try {
            return new CheckpointBenchmark(setup, rendezvous).measure();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private ZeroConfig config() {
        ObjectNode root = JsonMapper.shared().createObjectNode();
        root.put("train_micro_batch_size_per_gpu", 1);
        root.putObject("bf16").put("enabled", setup.dtype() == DType.BF16);
        root.putObject("fp16").put("enabled", setup.dtype() == DType.F16);
        root.putObject("zero_optimization").put("stage", setup.stage());
        root.putObject("ds").put("backend", setup.backend()).put("communicator", setup.communicator());
        return ZeroConfig.parse(root.toString(), Known.ofWorld(rendezvous.worldSize()))
                .value();
    }

    private String measure() throws IOException {
        ZeroConfig config = config();
        try (Stack stack = Stack.open(config.runtime(), rendezvous);
                ZeroEngine engine =
                        ZeroEngine.initialize(new Gpt(shape).layers(), config, stack.backend(), stack.communicator())) {
            Batch batch = RandomTokens.batch(stack.backend(), rendezvous.rank(), 1, SEQUENCE, shape.vocabulary());
            engine.trainBatch(micro -> batch); // from here on there are optimizer states
            Path synchronous = setup.folder().resolve("synchronous");
            Path asynchronous = setup.folder().resolve("asynchronous");
            saveAndLoad(engine, synchronous, -1); // warms up
            long bytes = sizeOf(synchronous.resolve(TAG)) / rendezvous.worldSize();
            saveInBackground(engine, asynchronous, batch, -1);
            for (int i = 0; i < setup.repeats(); i++) {
                raw(engine, bytes, i);
                saveAndLoad(engine, synchronous, i);
                saveInBackground(engine, asynchronous, batch, i);
            }
            engine.sumOverRanks(0); // all ranks are done with the files
            return result(bytes * rendezvous.worldSize());
        } finally {
            if (rendezvous.rank() == 0) {
                delete(setup.folder().resolve("synchronous"));
                delete(setup.folder().resolve("asynchronous"));
            }
        }
    }

    private static long sizeOf(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.mapToLong(file -> file.toFile().length()).sum();
        }
    }

    private static void delete(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(file);
                }
            }
        }
    }

    /** All ranks at once, each its share, as in a checkpoint. */
    private void raw(ZeroEngine engine, long bytes, int i) throws IOException {
        Path path = setup.folder().resolve("rank-%05d-raw.bench".formatted(rendezvous.rank()));
        try (RawDisk disk = new RawDisk(path, BLOCK_BYTES, DISK_THREADS)) {
            rawWrite[i] = seconds(engine, () -> disk.write(bytes));
            dropPages(engine);
            rawRead[i] = seconds(engine, () -> disk.read(bytes));
        }
    }

    private void saveAndLoad(ZeroEngine engine, Path folder, int i) throws IOException {
        double saved;
        try (TrainingCheckpoints checkpoints = engine.checkpoints(settings(folder, false))) {
            saved = seconds(engine, () -> checkpoints.save(TAG, Map.of()));
        } // waits until the checkpoint before is deleted
        try (TrainingCheckpoints checkpoints = engine.checkpoints(settings(folder, false))) {
            dropPages(engine);
            double loaded =
                    seconds(engine, () -> checkpoints.restore(folder.resolve(TAG), Checkpointer.What.EVERYTHING));
            if (i >= 0) {
                save[i] = saved;
                load[i] = loaded;
            }
        }
    }

    private void saveInBackground(ZeroEngine engine, Path folder, Batch batch, int i) throws IOException {
        try (TrainingCheckpoints checkpoints = engine.checkpoints(settings(folder, true))) {
            checkpoints.save(TAG, Map.of()); // what the copy's memory costs at first, it costs once in a run
            engine.trainBatch(micro -> batch);
            checkpoints.await();
            engine.trainBatch(micro -> batch); // as between any two saves: the checkpoint before is deleted meanwhile
            double alone = seconds(engine, () -> engine.trainBatch(micro -> batch));
            checkpoints.save(TAG, Map.of());
            double beside = seconds(engine, () -> engine.trainBatch(micro -> batch));
            checkpoints.await();
            Checkpointer.Timing timing = checkpoints.lastSave();
            double stalled = engine.sumOverRanks(timing.stalledSeconds()) / engine.worldSize();
            if (i >= 0) {
                step[i] = alone;
                stepBeside[i] = beside;
                stall[i] = stalled;
                background[i] = timing.seconds();
            }
        }
    }

    private static Checkpointer.Settings settings(Path folder, boolean asynchronous) {
        return new Checkpointer.Settings(folder, 1, asynchronous, Checkpointer.OnFailure.FAIL);
    }

    private void dropPages(ZeroEngine engine) {
        engine.sumOverRanks(0);
        coldReads &= PageCache.drop();
        engine.sumOverRanks(0);
    }

    private interface Task {
        void run() throws IOException;
    }

    /** {@return how long all ranks take} */
    private static double seconds(ZeroEngine engine, Task task) throws IOException {
        engine.sumOverRanks(0);
        long start = System.nanoTime();
        task.run();
        engine.sumOverRanks(0);
        return (System.nanoTime() - start) * 1e-9;
    }

    private String result(long bytes) {
        ObjectNode node = JsonMapper.shared().createObjectNode();
        node.put("model", setup.model());
        node.put("ranks", rendezvous.worldSize());
        node.put("stage", setup.stage());
        node.put("dtype", Precision.nameOf(setup.dtype()));
        node.put("bytes", bytes);
        node.put("save_seconds", Statistics.median(save));
        node.put("save_bytes_per_second", bytes / Statistics.median(save));
        node.put("raw_write_bytes_per_second", bytes / Statistics.median(rawWrite));
        node.put("save_fraction_of_raw", Statistics.median(rawWrite) / Statistics.median(save));
        node.put("load_seconds", Statistics.median(load));
        node.put("load_bytes_per_second", bytes / Statistics.median(load));
        node.put("raw_read_bytes_per_second", bytes / Statistics.median(rawRead));
        node.put("load_fraction_of_raw", Statistics.median(rawRead) / Statistics.median(load));
        node.put("page_cache_dropped_before_reads", coldReads);
        node.put("background_save_seconds", Statistics.median(background));
        node.put("background_stall_seconds", Statistics.median(stall));
        node.put("stall_fraction", Statistics.median(stall) / Statistics.median(background));
        node.put("step_seconds", Statistics.median(step));
        node.put("step_seconds_beside_save", Statistics.median(stepBeside));
        return node.toString();
    }
}
