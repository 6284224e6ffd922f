package ds.zero.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.layer.Parameter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever has been written when training goes on, the writer is given what was there when the save began. */
class SnapshotTest {
    private static final int ELEMENTS = 10;
    private static final int CHUNK = 4; // three a piece, nine in all

    private final Arena arena = Arena.ofShared();
    private final List<Numbers> numbers =
            List.of(new Numbers(arena, true, 100), new Numbers(arena, false, 200), new Numbers(arena, true, 300));
    private final RankPieces rank =
            new RankPieces(List.of(numbers.getFirst().parameter()), List.of(Piece.MASTER), numbers);

    @AfterEach
    void free() {
        arena.close();
    }

    /** Elements in native memory. */
    private record Numbers(MemorySegment values, boolean stays, int base) implements Piece {
        Numbers(Arena arena, boolean stays, int base) {
            this(arena.allocate(ELEMENTS * Float.BYTES), stays, base);
            fill(0);
        }

        void fill(int version) {
            for (int i = 0; i < ELEMENTS; i++) {
                values.setAtIndex(ValueLayout.JAVA_FLOAT, i, base + i + 0.5f * version);
            }
        }

        @Override
        public String kind() {
            return MASTER;
        }

        @Override
        public Parameter parameter() {
            return TestTraining.parameter("weight", ELEMENTS);
        }

        @Override
        public long first() {
            return 0;
        }

        @Override
        public long elements() {
            return ELEMENTS;
        }

        @Override
        public Optional<MemorySegment> resident() {
            return stays ? Optional.of(values) : Optional.empty();
        }

        @Override
        public void download(long offset, MemorySegment target) {
            target.copyFrom(values.asSlice(offset * Float.BYTES, target.byteSize()));
        }

        @Override
        public void upload(long offset, MemorySegment source) {
            throw new UnsupportedOperationException();
        }
    }

    private Snapshot snapshot() {
        return new Snapshot(rank, arena.allocate(rank.byteSize()));
    }

    private void change() {
        numbers.forEach(piece -> piece.fill(1));
    }

    /** Reads chunks as the writer does, and compares each when the next one is asked for. */
    private final class Writer {
        private final Snapshot snapshot;
        private final List<Float> seen = new ArrayList<>();
        private int chunk;

        Writer(Snapshot snapshot) {
            this.snapshot = snapshot;
        }

        MemorySegment borrow() {
            int first = (chunk % 3) * CHUNK;
            return snapshot.elements(chunk++ / 3, first, Math.min(CHUNK, ELEMENTS - first));
        }

        void write(MemorySegment lent) {
            for (int i = 0; i < lent.byteSize() / Float.BYTES; i++) {
                seen.add(lent.getAtIndex(ValueLayout.JAVA_FLOAT, i));
            }
        }

        void writeAll() {
            while (chunk < 9) {
                write(borrow());
            }
            snapshot.done();
            List<Float> expected = new ArrayList<>();
            numbers.forEach(piece -> {
                for (int i = 0; i < ELEMENTS; i++) {
                    expected.add((float) piece.base + i);
                }
            });
            assertEquals(expected, seen);
        }
    }

    /** Before the first chunk, while each is lent, and after the last. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
    void theWriterSeesWhatWasThereWhenTheSaveBegan(int chunks) throws Exception {
        Snapshot snapshot = snapshot();
        Writer writer = new Writer(snapshot);
        for (int i = 0; i < chunks - 1; i++) {
            writer.write(writer.borrow());
        }
        Optional<MemorySegment> lent = chunks == 0 ? Optional.empty() : Optional.of(writer.borrow());
        CompletableFuture<Void> training = CompletableFuture.runAsync(() -> {
            snapshot.keep();
            change();
        });
        boolean copied = chunks == 0 || (chunks > 3 && chunks <= 6); // the second piece does not stay
        if (copied) {
            training.get(60, TimeUnit.SECONDS);
        }
        lent.ifPresent(writer::write);
        writer.writeAll();
        training.get(60, TimeUnit.SECONDS);
        assertEquals(100.5f, numbers.getFirst().values.get(ValueLayout.JAVA_FLOAT, 0), "training has gone on");
    }

    @Test
    void trainingWaitsForTheChunkThatIsBeingWrittenAndForNoOther() throws Exception {
        Snapshot snapshot = snapshot();
        Writer writer = new Writer(snapshot);
        MemorySegment lent = writer.borrow();
        CompletableFuture<Void> training = CompletableFuture.runAsync(snapshot::keep);
        try {
            training.get(50, TimeUnit.MILLISECONDS);
            assertFalse(training.isDone(), "elements that are being written may change");
        } catch (TimeoutException e) {
            assertFalse(training.isDone(), e.toString());
        }
        writer.write(lent);
        writer.write(writer.borrow());
        training.get(60, TimeUnit.SECONDS);
        change();
        writer.writeAll();
    }

    @Test
    void whatIsWrittenIsNotCopied() {
        Snapshot snapshot = snapshot();
        Writer writer = new Writer(snapshot);
        assertTrue(writer.borrow().address() == numbers.getFirst().values.address(), "read where it lies");
        snapshot.done();
        change();
        snapshot.keep();
        assertEquals(0f, snapshot.elements(0, 0, 1).get(ValueLayout.JAVA_FLOAT, 0), "the copy holds nothing of it");
    }
}
