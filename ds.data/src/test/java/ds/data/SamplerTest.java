package ds.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 1000, 4096, 4097})
    void aPermutationHitsEveryElementOnce(long size) {
        for (long key = 0; key < 5; key++) {
            var permutation = new Permutation(size, key);
            var seen = new BitSet();
            for (long i = 0; i < size; i++) {
                long image = permutation.of(i);
                assertTrue(image >= 0 && image < size, size + " " + image);
                seen.set((int) image);
            }
            assertEquals(size, seen.cardinality(), "key " + key);
        }
    }

    @Test
    void aLargePermutationStaysInside() {
        long size = (1L << 61) + 3;
        var permutation = new Permutation(size, 1);
        var images = new HashSet<Long>();
        for (long i = size - 1000; i < size; i++) {
            long image = permutation.of(i);
            assertTrue(image >= 0 && image < size);
            images.add(image);
        }
        assertEquals(1000, images.size());
    }

    /** Of 1000 elements in random order each of 10 tenths of the places gets 100 ± 5 sigma of every tenth: sigma = 9. */
    @Test
    void aPermutationMixes() {
        int[][] counts = new int[10][10];
        for (long key = 0; key < 10; key++) {
            var permutation = new Permutation(1000, key);
            for (int i = 0; i < 1000; i++) {
                counts[i / 100][(int) permutation.of(i) / 100]++;
            }
        }
        for (int[] row : counts) {
            for (int count : row) {
                assertEquals(100, count, 45);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"9,8", "15,8", "16,8", "17,8", "23,8", "24,8", "1000,7", "1001,1", "2,1"})
    void anEpochVisitsEachOfItsWindowsOnce(long tokens, int length) {
        var sampler = new Sampler(42, tokens, length);
        long windows = sampler.windowsPerEpoch();
        assertTrue(windows >= 1);
        for (long epoch = 0; epoch < 20; epoch++) {
            long first = epoch * windows;
            long[] starts = LongStream.range(first, first + windows)
                    .map(sampler::start)
                    .sorted()
                    .toArray();
            assertTrue(starts[0] >= 0 && starts[0] < 2L * length);
            assertTrue(starts[starts.length - 1] + length + 1 <= tokens, "its last target is in the file");
            for (int i = 1; i < starts.length; i++) {
                assertEquals(length, starts[i] - starts[i - 1]);
            }
            assertEquals(epoch, sampler.epoch(first + windows - 1));
        }
    }

    @Test
    void everyTokenIsATargetWithinAFewEpochs() {
        var sampler = new Sampler(1, 100, 9);
        var targets = new BitSet();
        for (long k = 0; k < 60 * sampler.windowsPerEpoch(); k++) {
            int start = (int) sampler.start(k);
            targets.set(start + 1, start + 10);
        }
        assertEquals(99, targets.cardinality());
    }

    @Test
    void epochsAndSeedsDiffer() {
        var sampler = new Sampler(1, 10_000, 10);
        long windows = sampler.windowsPerEpoch();
        List<Long> first =
                LongStream.range(0, windows).map(sampler::start).boxed().toList();
        List<Long> second = LongStream.range(windows, 2 * windows)
                .map(sampler::start)
                .boxed()
                .toList();
        assertNotEquals(first, second);
        var other = new Sampler(2, 10_000, 10);
        assertNotEquals(
                first, LongStream.range(0, windows).map(other::start).boxed().toList());
    }

    /**
     * The values come from the same formulas written in Python. A change here changes the data order of every run that is
     * resumed.
     */
    @Test
    void theOrderIsThisOne() {
        var sampler = new Sampler(7, 1000, 10);
        assertEquals(99, sampler.windowsPerEpoch());
        assertArrayEquals(
                new long[] {13, 123, 283, 713, 333, 425, 183},
                LongStream.of(0, 1, 2, 3, 98, 99, 498).map(sampler::start).toArray());
    }

    @Test
    void whatHasNoWindowIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new Sampler(1, 8, 8));
        assertThrows(IllegalArgumentException.class, () -> new Sampler(1, 8, 0));
        assertThrows(IllegalArgumentException.class, () -> new Sampler(1, 8, 2).start(-1));
        assertThrows(IllegalArgumentException.class, () -> new Permutation(0, 1));
    }
}
