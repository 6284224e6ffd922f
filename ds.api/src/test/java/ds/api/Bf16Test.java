package ds.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class Bf16Test {
    private static int splitAndJoined(int bits) {
        float x = Float.intBitsToFloat(bits);
        return Float.floatToRawIntBits(Bf16.join(Bf16.nearest(x), Bf16.rest(x)));
    }

    /** All F32 numbers beside a few BF16 ones of each kind: zero, denormal, small, one, largest, infinite. */
    @Test
    void allNumbersComeBackButTheTiesAboveEvenOnes() {
        for (int upper : new int[] {0, 1, 2, 0x7f, 0x80, 0x3f80, 0x3f81, 0x7f7e, 0x7f7f}) {
            for (int sign : new int[] {0, 0x8000}) {
                for (int low = 0; low <= 0xffff; low++) {
                    int bits = (sign | upper) << 16 | low;
                    boolean tie = low == 0x8000 && upper % 2 == 0;
                    assertEquals(tie ? bits - 1 : bits, splitAndJoined(bits), () -> Integer.toHexString(bits));
                }
            }
        }
        for (int bits : new int[] {0x7f800000, 0xff800000, 0x7f7fffff}) {
            assertEquals(bits, splitAndJoined(bits));
        }
        assertTrue(Float.isInfinite(Bf16.value(Bf16.nearest(Float.MAX_VALUE))), "the weight is, its master is not");
    }

    /** Why 16 bits cannot do better: 65537 numbers round to an even BF16 number, ties on both sides, and 65535 to an odd one. */
    @Test
    void moreNumbersRoundToAnEvenOneThan16BitsCount() {
        Map<Short, Integer> counts = new HashMap<>();
        for (int bits = 0x3f7f0000; bits < 0x3f840000; bits++) {
            counts.merge(Bf16.nearest(Float.intBitsToFloat(bits)), 1, Integer::sum);
        }
        assertEquals(65537, counts.get((short) 0x3f80));
        assertEquals(65535, counts.get((short) 0x3f81));
        assertEquals(65537, counts.get((short) 0x3f82));
    }

    @Test
    void whatIsMovedRoundsToTheSameAndStaysFromThenOn() {
        for (int bits : new int[] {0x3f808000, 0xbf828000, 0x00008000, 0x7f7e8000}) {
            int once = splitAndJoined(bits);
            assertEquals(bits - 1, once);
            assertEquals(Bf16.nearest(Float.intBitsToFloat(bits)), Bf16.nearest(Float.intBitsToFloat(once)));
            assertEquals(once, splitAndJoined(once));
        }
    }

    @Test
    void nanStaysNan() {
        for (int bits : new int[] {0x7f800001, 0x7f80ffff, 0x7fbf8000, 0x7fc00000, 0x7fffffff, 0xff800001, -1}) {
            assertTrue(Float.isNaN(Float.intBitsToFloat(splitAndJoined(bits))), Integer.toHexString(bits));
            for (int random : new int[] {0, 1, 0x8000, 0xffff}) {
                short rounded = Bf16.stochastic(Float.intBitsToFloat(bits), random);
                assertTrue(Float.isNaN(Bf16.value(rounded)), Integer.toHexString(bits));
            }
        }
    }

    /** Over all 65536 values of the random bits, the sum of the results is 65536 times x: exactly unbiased. */
    @Test
    void stochasticRoundingIsExactlyUnbiasedOverItsBits() {
        for (int bits :
                new int[] {0x3f800001, 0x3f808000, 0xbf80ffff, 0x3f7f1234, 0x00001234, 0x80012345, 0x42f6e979}) {
            float x = Float.intBitsToFloat(bits);
            double sum = 0; // of 65536 numbers of 8 bits each: exact in F64
            for (int random = 0; random <= 0xffff; random++) {
                sum += Bf16.value(Bf16.stochastic(x, random));
            }
            assertEquals((double) x, sum / 65536);
        }
    }

    @Test
    void whatIsBf16AlreadyIsNotChanged() {
        for (int upper = 0; upper <= 0xffff; upper++) {
            float x = Bf16.value((short) upper);
            if (!Float.isNaN(x)) {
                assertEquals((short) upper, Bf16.stochastic(x, 0xffff));
                assertEquals((short) upper, Bf16.nearest(x));
                assertEquals(0, Bf16.rest(x));
            }
        }
    }
}
