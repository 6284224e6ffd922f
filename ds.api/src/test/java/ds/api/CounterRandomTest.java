package ds.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class CounterRandomTest {
    /** The first outputs of the published generator with seed 1234567. */
    @Test
    void isSplitMix64() {
        CounterRandom random = new CounterRandom(1234567, 0);
        assertEquals(6457827717110365317L, random.bits(0));
        assertEquals(3203168211198807973L, random.bits(1));
        assertEquals(Long.parseUnsignedLong("9817491932198370423"), random.bits(2));
    }

    @Test
    void firstIsAnOffset() {
        CounterRandom all = new CounterRandom(42, 0);
        CounterRandom later = new CounterRandom(42, 1L << 40);
        assertEquals(all.bits((1L << 40) + 5), later.bits(5));
    }

    @Test
    void uniformIsInRangeAndEven() {
        CounterRandom random = new CounterRandom(CounterRandom.key(1, 2, 3), 0);
        int n = 100_000;
        double sum = 0;
        double squares = 0;
        for (int i = 0; i < n; i++) {
            float u = random.uniform(i);
            assertTrue(u >= 0 && u < 1, "u = " + u);
            assertEquals(u, Math.rint(u * 0x1p24) * 0x1p-24, 0, "24 bits");
            sum += u;
            squares += (double) u * u;
        }
        assertEquals(0.5, sum / n, 6 * Math.sqrt(1 / 12.0 / n)); // six standard deviations of the mean
        assertEquals(1 / 3.0, squares / n, 6 * Math.sqrt(4 / 45.0 / n));
    }

    @Test
    void keysDependOnEveryPartAndItsPlace() {
        long key = CounterRandom.key(1, 2, 3);
        assertEquals(key, CounterRandom.key(1, 2, 3));
        assertNotEquals(key, CounterRandom.key(1, 3, 2));
        assertNotEquals(key, CounterRandom.key(2, 1, 3));
        assertNotEquals(key, CounterRandom.key(1, 2));
        assertNotEquals(CounterRandom.key(0), CounterRandom.key(0, 0));
        assertNotEquals(CounterRandom.part("h.0"), CounterRandom.part("h.1"));
        int changed = Long.bitCount(CounterRandom.key(1, 2, 3) ^ CounterRandom.key(1, 2, 2));
        assertTrue(changed > 12 && changed < 52, changed + " of 64 bits changed");
    }

    @Test
    void sixteenBitsAreTheQuartersOfAGroup() {
        CounterRandom groups = new CounterRandom(CounterRandom.key(9), 0);
        for (long first : new long[] {0, 1, 2, 3, 1L << 40}) {
            CounterRandom random = new CounterRandom(CounterRandom.key(9), first);
            for (long i = 0; i < 1000; i++) {
                long counter = first + i;
                long expected = (groups.bits(counter / 4) >>> (16 * (counter % 4))) & 0xffff;
                assertEquals(expected, random.bits16(i));
            }
        }
    }

    /** Each of 16 bits is set in half of n draws, within six deviations. */
    @Test
    void sixteenBitsAreEvenlyOnesAndZeros() {
        CounterRandom random = new CounterRandom(CounterRandom.key(1), 0);
        int n = 1 << 18;
        int[] ones = new int[16];
        for (int i = 0; i < n; i++) {
            for (int bit = 0; bit < 16; bit++) {
                ones[bit] += (random.bits16(i) >>> bit) & 1;
            }
        }
        for (int bit = 0; bit < 16; bit++) {
            assertEquals(n / 2.0, ones[bit], 6 * Math.sqrt(n) / 2, "bit " + bit);
        }
    }
}
