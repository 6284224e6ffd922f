package ds.api.layer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.HostBackend;
import ds.api.Shape;
import ds.api.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class StepArenaTest {
    private static final long MEBI = 1 << 20;

    private final HostBackend backend = new HostBackend();
    private final StepArena arena = new StepArena(backend, "activations");

    @AfterEach
    void nothingIsLeft() {
        arena.close();
        assertEquals(0, backend.memory().liveBytes());
    }

    private Tensor take(long elements) {
        return arena.take(DType.F32, Shape.of(elements));
    }

    @Test
    void tensorsAreAlignedAndApart() {
        Tensor one = take(1);
        Tensor two = take(17);
        Tensor three = take(16);
        assertSame(one.buffer(), three.buffer());
        assertEquals(0, one.byteOffset());
        assertEquals(64, two.byteOffset());
        assertEquals(64 + 128, three.byteOffset());
        assertEquals(64 + 128 + 64, arena.mark());
        assertEquals("activations", one.buffer().label());
    }

    @Test
    void growsInTheFirstRoundAndThenIsOneBlock() {
        long[] sizes = {1, 200_000, 3, 200_000, 300_000, 5, 1_000_000};
        for (long size : sizes) {
            take(size);
        }
        int first = backend.allocations.size();
        assertTrue(first > 1, "several blocks in the first round");
        arena.reset();
        assertEquals(first + 1, backend.allocations.size(), "one block for all");
        assertEquals(backend.allocations.getLast(), backend.memory().liveBytes(), "the old ones are freed");
        for (int round = 0; round < 3; round++) {
            List<Tensor> taken = new ArrayList<>();
            for (long size : sizes) {
                taken.add(take(size));
            }
            taken.forEach(tensor -> assertSame(taken.getFirst().buffer(), tensor.buffer()));
            arena.reset();
        }
        assertEquals(first + 1, backend.allocations.size(), "and nothing more");
    }

    @Test
    void takesWhatIsReservedFirst() {
        long[] sizes = {1, 200_000, 3, 300_000};
        for (long size : sizes) {
            take(size);
        }
        long needed = arena.highest();
        assertEquals(64 + 800_000 + 64 + 1_200_000, needed);
        try (StepArena other = new StepArena(backend, "activations")) {
            int before = backend.allocations.size();
            other.reserve(needed);
            for (int round = 0; round < 2; round++) {
                for (long size : sizes) {
                    other.take(DType.F32, Shape.of(size));
                }
                other.reset();
            }
            assertEquals(before + 1, backend.allocations.size());
            assertEquals(needed, backend.allocations.getLast());
            other.reserve(2 * needed);
            assertEquals(before + 1, backend.allocations.size(), "it has found out by itself");
        }
    }

    @Test
    void largerRoundGrowsAgain() {
        take(10);
        arena.reset();
        take(10);
        Tensor large = take(MEBI);
        assertEquals(4 * MEBI, large.byteSize());
        arena.reset();
        int before = backend.allocations.size();
        assertSame(take(10).buffer(), take(MEBI).buffer());
        assertEquals(before, backend.allocations.size());
    }

    @Test
    void releaseGivesBackWhatWasTakenSince() {
        take(8);
        long mark = arena.mark();
        Tensor one = take(100);
        arena.release(mark);
        Tensor again = take(50);
        assertEquals(one.byteOffset(), again.byteOffset());
        assertSame(one.buffer(), again.buffer());
    }

    @Test
    void releaseCrossesBlocks() {
        Tensor small = take(100);
        long mark = arena.mark();
        Tensor large = take(MEBI);
        assertNotSame(small.buffer(), large.buffer());
        arena.release(mark);
        assertEquals(mark, arena.mark());
        Tensor next = take(16);
        assertSame(small.buffer(), next.buffer());
        assertEquals(448, next.byteOffset(), "behind 400 bytes, aligned");
        Tensor reused = take(MEBI);
        assertSame(large.buffer(), reused.buffer());
    }

    @Test
    void blockIsJustAsLargeAsNeeded() {
        take(100);
        long mark = arena.mark();
        take(MEBI);
        arena.release(mark);
        take(2 * MEBI); // does not fit where the last one was, but would in one block
        arena.reset();
        assertEquals(448 + 8 * MEBI, backend.memory().liveBytes());
    }
}
