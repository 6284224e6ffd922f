package ds.zero.timing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against a set of whole nanoseconds. */
class IntervalsTest {
    private static final int LENGTH = 500;

    private static BitSet fill(Intervals intervals, Random random) {
        BitSet expected = new BitSet();
        for (int start = random.nextInt(20); start < LENGTH - 30; start += random.nextInt(20)) {
            int end = start + random.nextInt(25);
            intervals.add(start, end);
            expected.set(start, end);
        }
        return expected;
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void totalsAndCommonPartsAreThoseOfTheSets(long seed) {
        Random random = new Random(seed);
        Intervals a = new Intervals();
        Intervals b = new Intervals();
        BitSet inA = fill(a, random);
        BitSet inB = fill(b, random);
        assertEquals(inA.cardinality(), a.total());
        assertEquals(inB.cardinality(), b.total());
        BitSet inBoth = (BitSet) inA.clone();
        inBoth.and(inB);
        assertEquals(inBoth.cardinality(), a.common(b));
        assertEquals(inBoth.cardinality(), b.common(a));
    }

    @Test
    void aClockThatPassesItsLargestNumberChangesNothing() {
        Intervals intervals = new Intervals();
        intervals.add(Long.MAX_VALUE - 5, Long.MIN_VALUE + 4);
        intervals.add(Long.MIN_VALUE + 2, Long.MIN_VALUE + 9);
        assertEquals(15, intervals.total());
    }
}
