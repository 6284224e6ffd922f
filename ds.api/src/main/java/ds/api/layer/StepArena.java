package ds.api.layer;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;

/**
 * Memory that is handed out front to back and taken back all at once, or down to a mark. It grows while a first step finds out
 * how much is needed, then becomes one block, and nothing is allocated any more.
 */
final class StepArena implements AutoCloseable {
    private static final long ALIGNMENT = 64;
    private static final long SMALLEST_BLOCK = 1 << 20;

    private final LongFunction<Buffer> allocator;
    private final List<Buffer> blocks = new ArrayList<>();
    private int block;
    private long used;
    private long before; // bytes of the blocks in front of the current one
    private long highest;

    StepArena(TensorBackend backend, String label) {
        this(bytes -> backend.allocate(bytes, label));
    }

    private StepArena(LongFunction<Buffer> allocator) {
        this.allocator = allocator;
    }

    /** {@return an arena in host memory from which the device copies fast} */
    static StepArena onHost(TensorBackend backend, String label) {
        return new StepArena(bytes -> backend.allocateHost(bytes, label));
    }

    Tensor take(DType dtype, Shape shape) {
        long bytes = Math.ceilDiv(shape.elements() * dtype.byteSize(), ALIGNMENT) * ALIGNMENT;
        while (block < blocks.size() && used + bytes > blocks.get(block).byteSize()) {
            nextBlock();
        }
        if (block == blocks.size()) {
            blocks.add(allocator.apply(Math.max(bytes, Math.max(SMALLEST_BLOCK, before / 4))));
        }
        Tensor tensor = new Tensor(blocks.get(block), dtype, shape, used);
        used += bytes;
        highest = Math.max(highest, before + used);
        return tensor;
    }

    /** {@return whether a tensor lies in this memory} */
    boolean holds(Tensor tensor) {
        return blocks.contains(tensor.buffer());
    }

    private void nextBlock() {
        before += blocks.get(block).byteSize();
        block++;
        used = 0;
    }

    /** {@return how much is handed out, for {@link #release}} */
    long mark() {
        return before + used;
    }

    /** Takes back what was handed out after the mark. */
    void release(long mark) {
        while (before > mark) {
            block--;
            before -= blocks.get(block).byteSize();
        }
        used = mark - before;
    }

    /** Takes everything back; if the last round needed several blocks, they become one. */
    void reset() {
        release(0);
        if (blocks.size() > 1) {
            close();
            blocks.add(allocator.apply(highest));
        }
    }

    @Override
    public void close() {
        blocks.forEach(Buffer::close);
        blocks.clear();
        block = 0;
        used = 0;
        before = 0;
    }
}
