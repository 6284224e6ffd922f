package ds.safetensors;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Has the device write while more is prepared: an operating system may leave the first bytes of a large file in memory until the
 * file is forced to the device, and the device idle until then. One thread at a time.
 *
 * <p>A failure to write is told once by the system, to whoever forces next; so it is kept here, and thrown by the next call.
 */
final class WriteBehind implements AutoCloseable {
    /** Enough that a force is worth its cost, and little beside what memory holds. */
    static final long STRIDE_BYTES = 64L << 20;

    private final Forced file;
    private CompletableFuture<Void> underWay = CompletableFuture.completedFuture(null);
    private long bytes;

    /** What is forced to the device. */
    interface Forced {
        void force() throws IOException;
    }

    WriteBehind(Forced file) {
        this.file = file;
    }

    /**
     * Notes that so many bytes were written, and has the device begin when there are enough.
     *
     * @throws IOException if the device has failed to write what was written earlier
     */
    void written(long count) throws IOException {
        bytes += count;
        if (bytes >= STRIDE_BYTES && underWay.isDone()) {
            await();
            bytes = 0;
            underWay = CompletableFuture.runAsync(
                    this::force,
                    task -> Thread.ofPlatform().daemon().name("ds-write-behind").start(task));
        }
    }

    private void force() {
        try {
            file.force();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Waits for what is under way. What was written since is not forced.
     *
     * @throws IOException if the device has failed to write
     */
    void await() throws IOException {
        try {
            underWay.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof UncheckedIOException failure) {
                throw failure.getCause();
            }
            throw e;
        }
    }

    /** Waits, whether it fails or not: what is forced must stay open until then. */
    @Override
    public void close() {
        underWay.exceptionally(failure -> null).join();
    }
}
