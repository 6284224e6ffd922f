package examples.model;

import ds.api.CounterRandom;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.layer.Batch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/**
 * One rank's micro-batches of a poem: contexts of T characters at random places, and the character that follows each. Which
 * places a step sees does not depend on the number of ranks they are dealt to. Owns its memory.
 */
public final class Text implements AutoCloseable {
    private static final int T = CharacterModel.CONTEXT;
    private static final CounterRandom PLACES = new CounterRandom(CounterRandom.key(7), 0);

    private final byte[] text = Poem.JABBERWOCKY.getBytes(StandardCharsets.US_ASCII);
    private final TensorBackend backend;
    private final int rows;
    private final int rank;
    private final int worldSize;
    private final Tensor inputs; // I32 [B, T]
    private final Tensor targets; // I32 [B]
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment host;
    private long microBatch;

    /**
     * Prepares to deal.
     *
     * @param rows B: contexts in each micro-batch of a rank
     * @param rank which share is wanted
     * @param worldSize how many shares there are
     */
    public Text(TensorBackend backend, int rows, int rank, int worldSize) {
        this.backend = backend;
        this.rows = rows;
        this.rank = rank;
        this.worldSize = worldSize;
        this.inputs = backend.allocate(DType.I32, Shape.of(rows, T), "batch");
        this.targets = backend.allocate(DType.I32, Shape.of(rows), "batch");
        this.host = arena.allocate(ValueLayout.JAVA_INT, rows * (T + 1L));
    }

    /** {@return this rank's part of the next micro-batch; valid until the one after it is made} */
    public Batch next() {
        long first = (microBatch++ * worldSize + rank) * rows;
        for (int row = 0; row < rows; row++) {
            int place = (int) Long.remainderUnsigned(PLACES.bits(first + row), text.length - T);
            for (int t = 0; t < T; t++) {
                host.setAtIndex(ValueLayout.JAVA_INT, (long) row * T + t, text[place + t]);
            }
            host.setAtIndex(ValueLayout.JAVA_INT, (long) rows * T + row, text[place + T]);
        }
        backend.upload(host.asSlice(0, inputs.byteSize()), inputs, backend.computeStream());
        backend.upload(host.asSlice(inputs.byteSize()), targets, backend.computeStream());
        backend.computeStream().synchronize(); // from here on the host's memory may be written again
        return Batch.of(inputs, targets, first);
    }

    @Override
    public void close() {
        inputs.buffer().close();
        targets.buffer().close();
        arena.close();
    }
}
