package ds.comm.tcp.combine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ds.api.DType;
import ds.api.comm.ReduceOp;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigDecimal;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CombinerTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 7, 16, 2047, 2048, 5003})
    void bfloat16SumsAreRoundedOnceToTheNearest(int count) {
        Random random = new Random(count);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment[] ranks = new MemorySegment[3];
            for (int r = 0; r < ranks.length; r++) {
                ranks[r] = arena.allocate(2L * count, 2);
                for (int i = 0; i < count; i++) {
                    ranks[r].setAtIndex(ValueLayout.JAVA_SHORT, i, (short) random.nextInt(0x3f00, 0x4100));
                }
            }
            MemorySegment sum = arena.allocate(2L * count, 2);
            Combiner.of(DType.BF16).combine(ranks, sum, ReduceOp.SUM, ranks.length);
            for (int i = 0; i < count; i++) {
                float exact = value(ranks[0], i) + value(ranks[1], i) + value(ranks[2], i);
                assertEquals(nearest(exact), value(sum, i), "element " + i + " of " + exact);
            }
        }
    }

    private static float value(MemorySegment data, int i) {
        return Float.intBitsToFloat(data.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16);
    }

    /** The closer one of the two neighbours with 8 bits of mantissa; of equally close ones, the one with an even last bit. */
    private static float nearest(float value) {
        float below = Float.intBitsToFloat(Float.floatToRawIntBits(value) & 0xffff0000);
        float above = Float.intBitsToFloat(Float.floatToRawIntBits(below) + 0x10000);
        BigDecimal exact = new BigDecimal(value);
        int order = exact.subtract(new BigDecimal(below)).compareTo(new BigDecimal(above).subtract(exact));
        boolean belowIsEven = (Float.floatToRawIntBits(below) >>> 16 & 1) == 0;
        return order < 0 || (order == 0 && belowIsEven) ? below : above;
    }

    @Test
    void bfloat16KeepsNotANumberAndInfinityWhereverTheyStand() {
        int count = 40; // vectors and a rest
        try (Arena arena = Arena.ofConfined()) {
            for (int i = 0; i < count; i++) {
                MemorySegment a = arena.allocate(2L * count, 2);
                MemorySegment b = arena.allocate(2L * count, 2);
                a.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) 0x7f80); // +infinity
                b.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) 0xff80); // −infinity
                MemorySegment sum = arena.allocate(2L * count, 2);
                Combiner.of(DType.BF16).combine(new MemorySegment[] {a, b}, sum, ReduceOp.SUM, 2);
                assertEquals(Float.NaN, value(sum, i));
                Combiner.of(DType.BF16).combine(new MemorySegment[] {a, b}, sum, ReduceOp.MAX, 2);
                assertEquals(Float.POSITIVE_INFINITY, value(sum, i));
                assertEquals(0, value(sum, (i + 1) % count));
            }
        }
    }

    @Test
    void integersWrapAround() {
        MemorySegment a = MemorySegment.ofArray(new int[] {Integer.MAX_VALUE, 3});
        MemorySegment b = MemorySegment.ofArray(new int[] {1, -5});
        Combiner.of(DType.I32).combine(new MemorySegment[] {a, b}, a, ReduceOp.SUM, 2);
        assertEquals(Integer.MIN_VALUE, a.getAtIndex(ValueLayout.JAVA_INT, 0));
        assertEquals(-2, a.getAtIndex(ValueLayout.JAVA_INT, 1));
    }
}
