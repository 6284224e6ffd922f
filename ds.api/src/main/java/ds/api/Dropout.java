package ds.api;

/**
 * Which elements dropout zeroes (Srivastava et al., JMLR 15, 2014): element {@code i} is kept, and divided by
 * {@code 1 - rate}, if {@code random.uniform(i) >= rate}.
 *
 * @param rate in [0, 1); 0 keeps everything
 * @param random gives element {@code i} of the tensor its number
 */
public record Dropout(float rate, CounterRandom random) {
    /** Keeps everything. */
    public static final Dropout NONE = new Dropout(0, new CounterRandom(0, 0));

    /** Rejects rates outside [0, 1). */
    public Dropout {
        if (!(rate >= 0 && rate < 1)) {
            throw new IllegalArgumentException("dropout rate " + rate + " is not in [0, 1)");
        }
    }

    /** {@return whether anything is dropped at all} */
    public boolean active() {
        return rate > 0;
    }

    /** {@return the same dropout for a tensor that begins with element {@code element} of the one this is for} */
    public Dropout from(long element) {
        return element == 0 ? this : new Dropout(rate, new CounterRandom(random.key(), random.first() + element));
    }
}
