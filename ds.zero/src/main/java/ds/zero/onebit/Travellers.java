package ds.zero.onebit;

/** What an optimizer does with the numbers that {@link CompressedAllReduce} exchanges, piece by piece. */
public interface Travellers {
    /**
     * Consecutive elements of a vector.
     *
     * @param vector its number
     * @param first element
     * @param elements how many
     */
    record Span(int vector, long first, long elements) {}

    /** Adds what this rank sends to {@link CompressedAllReduce#workerError}, which holds what it has not sent before. */
    void send(Span span);

    /** Is told that the mean over all ranks is there. */
    void arrived(Span span);
}
