package ds.api.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ds.api.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Slices of a parameter hold each of its elements once, and two kinds of slices find what they have in common. */
class SliceTest {
    private static final Shape SHAPE = Shape.of(7, 24);

    @Test
    void blocksOfColumnsOfGroups() {
        Slice slice =
                Slice.columns(Shape.of(2, 12), 3, 1, 2, 1); // of [a b c d | e f g h | i j k l] rank 1 has c d g h k l
        assertEquals(Shape.of(2, 6), slice.shape());
        long[] held = LongStream.range(0, 12).map(slice::element).toArray();
        assertArrayEquals(new long[] {2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23}, held);
    }

    @Test
    void blocksOfRowsOfWhichTheLastIsSmaller() {
        assertEquals(Shape.of(2, 24), Slice.rows(SHAPE, 1, 4, 0).shape());
        assertEquals(Shape.of(1, 24), Slice.rows(SHAPE, 1, 4, 3).shape());
        assertEquals(48, Slice.rows(SHAPE, 1, 4, 3).mostElements());
        assertEquals(144, Slice.rows(SHAPE, 1, 4, 3).element(0));
        var error = assertThrows(IllegalArgumentException.class, () -> Slice.rows(Shape.of(5, 2), 1, 4, 0));
        assertEquals(
                "[5, 2] in 4 parts, 4 elements of every 10: the last part is empty; use fewer parts",
                error.getMessage());
    }

    @Test
    void everyElementIsHeldOnceAndEachSliceKnowsTheOthers() {
        for (List<Slice> slices : all()) {
            int[] holders = new int[Math.toIntExact(SHAPE.elements())];
            for (Slice slice : slices) {
                for (Slice other : slices) {
                    long last = other.elements() - 1;
                    assertEquals(other.elements(), slice.of(other.part()).elements());
                    assertEquals(other.element(last), slice.of(other.part()).element(last));
                }
                LongStream.range(0, slice.elements()).forEach(i -> holders[Math.toIntExact(slice.element(i))]++);
            }
            assertEquals(
                    holders.length, Arrays.stream(holders).filter(n -> n == 1).count(), slices.toString());
        }
    }

    @Test
    void commonElementsAreThoseThatBothHold() {
        for (Slice here : all().stream().flatMap(List::stream).toList()) {
            for (Slice there : all().stream().flatMap(List::stream).toList()) {
                long first = here.elements() / 3;
                long end = here.elements() - 1;
                List<Long> found = new ArrayList<>();
                here.forEachCommon(there, first, end, (a, b, count) -> {
                    for (long i = 0; i < count; i++) {
                        assertEquals(here.element(a + i), there.element(b + i));
                        found.add(a + i);
                    }
                });
                List<Long> expected = LongStream.range(first, end)
                        .filter(i -> LongStream.range(0, there.elements())
                                .anyMatch(j -> there.element(j) == here.element(i)))
                        .boxed()
                        .toList();
                assertEquals(expected, found, here + " in " + there);
            }
        }
    }

    private static List<List<Slice>> all() {
        return List.of(
                List.of(Slice.all(SHAPE)),
                split(2, part -> Slice.columns(SHAPE, 1, 1, 2, part)),
                split(4, part -> Slice.columns(SHAPE, 1, 1, 4, part)),
                split(2, part -> Slice.columns(SHAPE, 3, 1, 2, part)),
                split(2, part -> Slice.columns(SHAPE, 2, 4, 2, part)),
                split(3, part -> Slice.rows(SHAPE, 1, 3, part)),
                split(4, part -> Slice.rows(SHAPE, 1, 4, part)));
    }

    private static List<Slice> split(int parts, IntFunction<Slice> slice) {
        return IntStream.range(0, parts).mapToObj(slice).toList();
    }
}
