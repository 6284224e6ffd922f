package ds.zero;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.layer.Batch;
import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.offload.OffloadException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** States in files; that they change no bit of a run is {@link ParityMatrixTest}'s. */
class OffloadTest {
    @TempDir
    private Path folder;

    @AfterEach
    void nothingIsLeftBehind() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(0, files.count());
        }
    }

    /** Tiles of 24 elements: a unit's shard has several, and a parameter lies in two. */
    private String zero(int stage, boolean parameters) {
        String nvme = "{\"device\": \"nvme\", \"nvme_path\": \"%s\", \"buffer_count\": 3}".formatted(folder);
        return """
                "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 0, "stage3_max_reuse_distance": 0,
                 "sub_group_size": 24, "offload_optimizer": %s%s},
                """.formatted(stage, nvme, parameters ? ", \"offload_param\": " + nvme : "");
    }

    private ZeroConfig config(boolean parameters) {
        return ZeroConfig.parse("""
                        {"train_batch_size": 4, "bf16": {"enabled": true}, %s "ds": {"seed": 1}}
                        """.formatted(zero(parameters ? 3 : 1, parameters)), Known.ofWorld(1))
                .value();
    }

    @Test
    void memoryHoldsBuffersInPlaceOfStates() throws Exception {
        InProcessCommunicators.run(1, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config(true), backend, communicator)) {
                Batch batch = TinyModel.batch(backend, 0, 0, 4);
                engine.trainBatch(i -> batch);
                engine.trainBatch(i -> batch);
                var labels = backend.memory().labels();
                for (String label : new String[] {"weights", "masterWeights", "optimizerStates"}) {
                    assertTrue(!labels.containsKey(label) || labels.get(label).peakBytes() == 0, label);
                }
                assertTrue(labels.get("swapBuffers").liveBytes() > 0);
                long live = backend.memory().liveBytes();
                engine.trainBatch(i -> batch);
                assertEquals(live, backend.memory().liveBytes(), "nothing is allocated in a steady step");
            }
        });
    }

    @ParameterizedTest
    @CsvSource({"optimizer", "weights"})
    void flippedBitEndsTheRunBeforeItIsUsed(String name) throws Exception {
        InProcessCommunicators.run(1, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config(true), backend, communicator)) {
                Batch batch = TinyModel.batch(backend, 0, 0, 4);
                engine.trainBatch(i -> batch);
                Path file = folder.resolve("rank-00000-" + name + ".swap");
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                    ByteBuffer one = ByteBuffer.allocate(1);
                    channel.read(one, 8);
                    channel.write(ByteBuffer.wrap(new byte[] {(byte) (one.get(0) ^ 1)}), 8);
                }
                var e = assertThrows(OffloadException.class, () -> engine.trainBatch(i -> batch));
                assertTrue(e.getMessage().contains(file + ": block 0"), e.getMessage());
            }
        });
    }
}
