package ds.api.layer;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongFunction;

/**
 * Memory that is handed out front to back and taken back all at once, or down to a mark. While a first step finds out how much
 * is needed, it comes in blocks of what is asked for; then it becomes one block of just that size, and nothing is allocated any
 * more.
 */
final class StepArena implements AutoCloseable {
    private static final long ALIGNMENT = 64;
    private static final long SMALLEST_BLOCK = 1 << 20;

    private final LongFunction<Buffer> allocator;
    private final List<Buffer> blocks = new ArrayList<>();
    private int block;
    private long used; // bytes of the current block
    private long taken; // bytes handed out in all, as if they lay in one block
    private long highest;
    private Place[] places = new Place[64]; // one for each tensor handed out
    private int count;

    /**
     * Where the next tensor would have begun.
     *
     * @param taken bytes handed out before
     */
    private record Place(long taken, int block, long used) {}

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

    /** {@return the most that was handed out at a time so far} */
    long highest() {
        return highest;
    }

    /** Allocates what a first step would otherwise find out that it needs; nothing if it has. */
    void reserve(long bytes) {
        if (blocks.isEmpty() && bytes > 0) {
            blocks.add(allocator.apply(bytes));
        }
    }

    Tensor take(DType dtype, Shape shape) {
        long bytes = Math.ceilDiv(shape.elements() * dtype.byteSize(), ALIGNMENT) * ALIGNMENT;
        if (count == places.length) {
            places = Arrays.copyOf(places, 2 * count);
        }
        places[count++] = new Place(taken, block, used);
        while (block < blocks.size() && used + bytes > blocks.get(block).byteSize()) {
            block++;
            used = 0;
        }
        if (block == blocks.size()) {
            blocks.add(allocator.apply(Math.max(bytes, SMALLEST_BLOCK)));
        }
        Tensor tensor = new Tensor(blocks.get(block), dtype, shape, used);
        used += bytes;
        taken += bytes;
        highest = Math.max(highest, taken);
        return tensor;
    }

    /** {@return whether a tensor lies in this memory} */
    boolean holds(Tensor tensor) {
        return blocks.contains(tensor.buffer());
    }

    /** {@return how much is handed out, for {@link #release}} */
    long mark() {
        return taken;
    }

    /** Takes back what was handed out after the mark. */
    void release(long mark) {
        while (count > 0 && places[count - 1].taken >= mark) {
            Place place = places[--count];
            block = place.block;
            used = place.used;
        }
        taken = mark;
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
        release(0);
    }
}
