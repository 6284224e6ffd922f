package ds.zero.checkpoint;

import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A disk that is free for shards no earlier than a test says. */
public final class LateDisk {
    private LateDisk() {}

    /** {@return a checkpointer that begins to write shards once the latch is open; handed over} */
    public static Checkpointer open(
            Checkpointer.Settings settings, TensorBackend backend, Communicator communicator, CountDownLatch free) {
        return Checkpointer.open(settings, backend, communicator, new Disk() {
            @Override
            public SafetensorsWriter openShard(Path file, List<SafetensorsWriter.Entry> tensors) throws IOException {
                try {
                    if (!free.await(60, TimeUnit.SECONDS)) {
                        throw new IOException("training does not go on while a checkpoint is saved");
                    }
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
                return Disk.super.openShard(file, tensors);
            }
        });
    }
}
