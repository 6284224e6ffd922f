package ds.zero.checkpoint;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * Deletes checkpoints that have lost their names, in a thread of its own: a disk may need as long to free gigabytes as a third of
 * writing them takes, and nobody has to wait for that. What is left when the process ends is deleted by the next start.
 */
final class Removals {
    private static final System.Logger LOG = System.getLogger(Removals.class.getName());

    private final CheckpointFolder folder;
    private Optional<FutureTask<String>> underWay = Optional.empty();

    Removals(CheckpointFolder folder) {
        this.folder = folder;
    }

    /** Begins to delete folders, once those before are deleted; one that cannot be deleted is logged. */
    void begin(List<Path> removed) {
        await();
        if (removed.isEmpty()) {
            return;
        }
        FutureTask<String> task = new FutureTask<>(() -> removed.forEach(this::delete), "removed");
        underWay = Optional.of(task);
        Thread.ofPlatform().daemon().name("checkpoint-removal").start(task);
    }

    private void delete(Path removed) {
        try {
            folder.deleteTree(removed);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.WARNING, removed + ": could not be deleted; the next start does it", e);
        }
    }

    /** Waits until the space is free. */
    void await() {
        Optional<FutureTask<String>> task = underWay;
        underWay = Optional.empty();
        if (task.isEmpty()) {
            return;
        }
        try {
            task.get().get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CheckpointException(folder.path(), "interrupted while old checkpoints are being deleted", e);
        }
    }
}
