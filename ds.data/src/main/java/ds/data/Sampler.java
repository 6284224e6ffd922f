package ds.data;

import ds.api.CounterRandom;

/**
 * Which window of a token file a training sequence is: a pure function of the seed and the sequence's number, so that there is
 * no state to save, and any number of ranks sees the same global batches.
 *
 * <p>Sequence g of step s in global batches of G has the number k = s · G + g, and its epoch is k / W. Each epoch cuts the file of n
 * tokens into W windows of T tokens, of which the first begins at a token drawn from [0, n - W · T), and takes them in a random
 * order of its own: each once. A window's targets end one token after it. W = (n - T) / T, and at least 1, so that every token
 * but the first is a target in some epoch.
 *
 * @param seed of the order; another seed, another order
 * @param tokens n, at least T + 1
 * @param sequenceLength T
 */
public record Sampler(long seed, long tokens, int sequenceLength) {
    private static final long SHIFT = 1;
    private static final long ORDER = 2;

    /** Rejects what has no window. */
    public Sampler {
        if (sequenceLength < 1 || tokens <= sequenceLength) {
            throw new IllegalArgumentException(tokens + " tokens have no window of length " + sequenceLength
                    + " with its targets; it needs at least 1 + the length, which is at least 1");
        }
    }

    /** {@return W, how many windows an epoch has} */
    public long windowsPerEpoch() {
        return Math.max(1, (tokens - sequenceLength) / sequenceLength);
    }

    /** {@return the epoch of this sequence, from 0} */
    public long epoch(long sequence) {
        return sequence / windowsPerEpoch();
    }

    /**
     * {@return the first token of this sequence's inputs; its targets begin one later} In [0, tokens - T).
     *
     * @param sequence k = step · G + g, from 0
     */
    public long start(long sequence) {
        if (sequence < 0) {
            throw new IllegalArgumentException("sequence " + sequence + "; they are counted from 0");
        }
        long windows = windowsPerEpoch();
        long epoch = sequence / windows;
        long window = new Permutation(windows, CounterRandom.key(seed, ORDER, epoch)).of(sequence % windows);
        return shift(epoch) + window * sequenceLength;
    }

    /** {@return the first token of an epoch's first window} */
    private long shift(long epoch) {
        long shifts = tokens - windowsPerEpoch() * sequenceLength;
        return Long.remainderUnsigned(CounterRandom.key(seed, SHIFT, epoch), shifts);
    }
}
