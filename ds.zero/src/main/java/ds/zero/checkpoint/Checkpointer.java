package ds.zero.checkpoint;

import ds.api.Buffer;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Function;

/**
 * Saves and restores a training; all ranks make the same calls. Asynchronously, {@link #save} returns while a thread writes, and
 * training goes on; what is about to change and is not written yet is copied to host memory ({@link #aboutToChange}). One run at a
 * time writes to a folder.
 *
 * {@snippet :
 * try (var checkpointer = Checkpointer.open(settings, backend, communicator)) {
 *     checkpointer.latest().ifPresent(path -> checkpointer.load(path, pieces, Checkpointer.What.EVERYTHING));
 *     …
 *     checkpointer.save(CheckpointFolder.tagOf(step), new Checkpointer.Content(pieces, state, Map.of()));
 * } // waits for the last save
 * }
 */
public final class Checkpointer implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Checkpointer.class.getName());
    private static final String LOCK = ".lock";

    private final Settings settings;
    private final TensorBackend backend;
    private final Agreement agreement;
    private final CheckpointFolder folder;
    private final Saving saving;
    private Optional<FileChannel> lock = Optional.empty();
    private Optional<Buffer> host = Optional.empty();
    private Optional<FutureTask<String>> underWay = Optional.empty();
    private Optional<Snapshot> snapshot = Optional.empty(); // of the save under way
    private long stalledNanos; // of the last save
    private volatile long savedNanos; // of the last save

    private Checkpointer(Settings settings, TensorBackend backend, Communicator communicator, Disk disk) {
        this.settings = settings;
        this.backend = backend;
        this.folder = new CheckpointFolder(settings.folder(), disk);
        this.agreement = new Agreement(backend, communicator);
        this.saving = new Saving(folder, agreement, disk, settings.keepLast());
    }

    /** What a failed save does to the run. */
    public enum OnFailure {
        /** Ends it, on all ranks, at the next call. */
        FAIL,
        /** Is logged; the run goes on with the checkpoints that it has. */
        WARN
    }

    /** What is restored. */
    public enum What {
        /** Weights and optimizer states. */
        EVERYTHING,
        /** Weights alone: the optimizer begins anew. */
        WEIGHTS
    }

    /**
     * Where and how.
     *
     * @param folder of the checkpoints; shared by all hosts
     * @param keepLast how many steps are kept; chosen tags are kept besides
     * @param asynchronous whether training goes on while files are written, at the price of room for a copy in host memory
     * @param onFailure what a failed save does to the run
     */
    public record Settings(Path folder, int keepLast, boolean asynchronous, OnFailure onFailure) {
        /** Rejects keeping none. */
        public Settings {
            if (keepLast < 1) {
                throw new IllegalArgumentException(
                        "keep_last = " + keepLast + ": at least the checkpoint just written is kept; 2 is the default");
            }
        }
    }

    /**
     * What one rank saves.
     *
     * @param pieces of this rank
     * @param training the same on all ranks
     * @param texts small files beside, by name, such as the configuration; rank 0's count
     */
    public record Content(RankPieces pieces, TrainingState training, Map<String, String> texts) {
        /** Copies the map; rejects names that are taken. */
        public Content {
            texts = Map.copyOf(texts);
            for (String name : texts.keySet()) {
                if (!name.matches("[a-z][a-z0-9_]*\\.json")
                        || List.of(Saving.TRAINING, Index.FILE).contains(name)) {
                    throw new IllegalArgumentException(
                            "file '" + name + "' in a checkpoint: choose another name, like config.json");
                }
            }
        }
    }

    /**
     * {@return what a checkpointer has allocated once it has saved}
     *
     * @param worldSize among how many ranks
     * @param pieces of this rank
     * @param asynchronous as in {@link Settings}
     */
    public static long memoryBytes(int worldSize, RankPieces pieces, boolean asynchronous) {
        return Agreement.memoryBytes(worldSize) + (asynchronous ? pieces.byteSize() : ShardWriter.CHUNK_BYTES);
    }

    /**
     * Begins; removes what a killed run has left half done.
     *
     * @param backend borrowed; gives the host memory
     * @param communicator borrowed; a group of its own is split off
     * @return handed over
     * @throws CheckpointException on all ranks if the folder is in use by another run, or cannot be written
     */
    public static Checkpointer open(Settings settings, TensorBackend backend, Communicator communicator) {
        return open(settings, backend, communicator, Disk.REAL);
    }

    static Checkpointer open(Settings settings, TensorBackend backend, Communicator communicator, Disk disk) {
        Checkpointer checkpointer = new Checkpointer(settings, backend, communicator, disk);
        try {
            checkpointer.agreement.together("opening", settings.folder(), checkpointer::begin);
            return checkpointer;
        } catch (RuntimeException e) {
            checkpointer.close();
            throw e;
        }
    }

    private String begin() throws IOException {
        if (agreement.isFirst()) {
            Files.createDirectories(settings.folder());
            lock = Optional.of(lock(settings.folder().resolve(LOCK)));
            folder.recover();
        }
        return LOCK;
    }

    /** The system frees it, however the process ends. */
    private static FileChannel lock(Path file) throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = null;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            LOG.log(System.Logger.Level.DEBUG, "locked by this process", e);
        } finally {
            if (lock == null) {
                channel.close();
            }
        }
        if (lock == null) {
            throw new CheckpointException(
                    file, "another run is writing checkpoints here; wait for its end, or choose another folder");
        }
        return channel;
    }

    /**
     * Saves under a tag; replaces what had it. Waits for the save before.
     *
     * @param tag such as of {@link CheckpointFolder#tagOf}
     * @throws CheckpointException on all ranks, if this save (or, asynchronously, the one before) failed on one
     */
    public void save(String tag, Content content) {
        CheckpointFolder.requireTag(tag);
        await();
        long begin = System.nanoTime();
        if (settings.asynchronous()) {
            RankPieces pieces = content.pieces();
            Snapshot taken = new Snapshot(pieces, hostBuffer(pieces.byteSize()));
            snapshot = Optional.of(taken);
            start(() -> write(tag, content, taken, begin));
            stalledNanos = System.nanoTime() - begin;
        } else {
            MemorySegment buffer = hostBuffer(ShardWriter.CHUNK_BYTES);
            List<? extends Piece> pieces = content.pieces().pieces();
            start(() -> saving.run(tag, content, (piece, offset, count) -> {
                MemorySegment part = buffer.asSlice(0, count * Float.BYTES);
                pieces.get(piece).download(offset, part);
                return part;
            }));
            await();
        }
    }

    private void write(String tag, Content content, Snapshot taken, long begin) {
        try {
            saving.run(tag, content, taken);
        } finally {
            taken.done();
            savedNanos = System.nanoTime() - begin;
        }
    }

    /**
     * Lets the pieces of the save under way change: what of them is not written yet is copied first. To be called before every change
     * of what was given to {@link #save}.
     *
     * @return whether there is such a save
     */
    public boolean aboutToChange() {
        if (snapshot.isEmpty()) {
            return false;
        }
        long begin = System.nanoTime();
        snapshot.get().keep();
        snapshot = Optional.empty();
        stalledNanos += System.nanoTime() - begin;
        return true;
    }

    /**
     * How long a save in the background took.
     *
     * @param seconds from the call of {@link #save} until the checkpoint had its name
     * @param stalledSeconds for how much of them training stood still on this rank: in {@link #save} and {@link #aboutToChange}
     */
    public record Timing(double seconds, double stalledSeconds) {}

    /** {@return of the last save in the background; call {@link #await} before} */
    public Timing lastSave() {
        return new Timing(savedNanos * 1e-9, stalledNanos * 1e-9);
    }

    private void start(Runnable work) {
        FutureTask<String> task = new FutureTask<>(work, "saved");
        underWay = Optional.of(task);
        Thread.ofPlatform()
                .daemon()
                .name("checkpoint-saving-" + agreement.rank())
                .start(task);
    }

    /** Kept for the next save, which needs as much. */
    private MemorySegment hostBuffer(long byteSize) {
        if (host.isEmpty() || host.get().byteSize() < byteSize) {
            host.ifPresent(Buffer::close);
            host = Optional.empty();
            host = Optional.of(backend.allocateHost(Math.max(1, byteSize), "checkpoint"));
        }
        return host.get().host();
    }

    /** {@return whether the save under way has failed already, on this rank} Tell all ranks, and let all call {@link #await}. */
    public boolean hasFailed() {
        return underWay.filter(task -> task.state() == FutureTask.State.FAILED).isPresent();
    }

    /**
     * Waits for the save under way.
     *
     * @throws CheckpointException on all ranks, if it failed on one
     */
    public void await() {
        if (underWay.isEmpty()) {
            return;
        }
        FutureTask<String> task = underWay.get();
        try {
            task.get();
            ended();
        } catch (ExecutionException e) {
            ended();
            failed(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CheckpointException(settings.folder(), "interrupted while a checkpoint is being written", e);
        }
    }

    private void ended() {
        underWay = Optional.empty();
        snapshot = Optional.empty();
    }

    private void failed(Throwable cause) {
        if (cause instanceof CheckpointException e && settings.onFailure() == OnFailure.WARN) {
            if (agreement.isFirst()) {
                LOG.log(System.Logger.Level.WARNING, e.getMessage() + "; earlier checkpoints are as they were");
            }
            return;
        }
        switch (cause) {
            case CheckpointException e ->
                throw new CheckpointException(
                        settings.folder(), e.getMessage() + "; earlier checkpoints are as they were", e);
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(cause);
        }
    }

    /** {@return the checkpoint of the highest step, as rank 0 sees it; all ranks call it} */
    public Optional<Path> latest() {
        await();
        String own = agreement.isFirst()
                ? folder.latest().map(path -> path.getFileName().toString()).orElse("")
                : "";
        String name = agreement.gather("latest", own).getFirst();
        return name.isEmpty() ? Optional.empty() : Optional.of(settings.folder().resolve(name));
    }

    /**
     * Restores from a checkpoint of any world size, stage and precision; all ranks call it. Every chunk's checksum is verified
     * before its numbers are used.
     *
     * @param checkpoint its folder
     * @param wanted what this rank keeps
     * @return the numbers beside the tensors
     * @throws CheckpointException on all ranks, if it failed on one; the pieces are then undefined, and training must not begin
     */
    public TrainingState load(Path checkpoint, RankPieces wanted, What what) {
        return load(checkpoint, stored -> wanted, what);
    }

    /**
     * Restores as {@link #load(Path, RankPieces, What)} does.
     *
     * @param wanted says what this rank keeps of what is stored
     */
    public TrainingState load(Path checkpoint, Function<Checkpoint, RankPieces> wanted, What what) {
        await();
        return agreement.together("loading", checkpoint, () -> {
            Checkpoint opened = Checkpoint.open(checkpoint);
            opened.load(wanted.apply(opened), what);
            return opened.training();
        });
    }

    /**
     * Waits for the save under way and leaves.
     *
     * @throws CheckpointException if that save failed
     */
    @Override
    public void close() {
        try (saving) {
            await();
        } finally {
            agreement.close();
            host.ifPresent(Buffer::close);
            host = Optional.empty();
            lock.ifPresent(Checkpointer::unlock);
            lock = Optional.empty();
        }
    }

    private static void unlock(FileChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "lock file", e);
        }
    }
}
