package ds.data;

import ds.api.CounterRandom;

/**
 * A random order of [0, size), computed element by element without a table: a Feistel network over the next power of four, and
 * a result outside is put in again until it lies inside (cycle walking; Black and Rogaway, CT-RSA 2002). Both steps can be
 * undone, so no two elements have the same image. At most 4 rounds of walking are expected.
 */
record Permutation(long size, long key) {
    private static final int ROUNDS = 6;

    Permutation {
        if (size < 1) {
            throw new IllegalArgumentException("permutation of " + size + " elements; there must be at least 1");
        }
    }

    /** {@return the image of {@code index}, in [0, size)} */
    long of(long index) {
        int halfBits = (Long.SIZE - Long.numberOfLeadingZeros(size - 1) + 1) / 2;
        long mask = (1L << halfBits) - 1;
        long image = index;
        do {
            long left = image >>> halfBits;
            long right = image & mask;
            for (int round = 0; round < ROUNDS; round++) {
                long mixed = left ^ (new CounterRandom(key, (long) round << halfBits).bits(right) & mask);
                left = right;
                right = mixed;
            }
            image = left << halfBits | right;
        } while (image >= size);
        return image;
    }
}
