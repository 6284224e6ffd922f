package ds.bench;

/**
 * What {@link OptimizerBenchmark} measures.
 *
 * @param elements of the shard
 * @param tileElements how many are updated, and rounded to BF16, at once; as the engine's update does, if a power of two of 20 bits
 * @param repeats of each of the things that are compared
 * @param backend name of the provider, of a backend on the host
 */
public record OptimizerSetup(long elements, long tileElements, int repeats, String backend) {
    /** Rejects what measures nothing. */
    public OptimizerSetup {
        if (elements < 1 || tileElements < 1 || repeats < 1) {
            throw new IllegalArgumentException("elements = " + elements + ", tile = " + tileElements + ", repeats = "
                    + repeats + ": all must be positive");
        }
    }
}
