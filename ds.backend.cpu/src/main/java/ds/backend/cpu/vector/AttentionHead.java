package ds.backend.cpu.vector;

/**
 * One head of one sequence, wherever its rows lie.
 *
 * @param queries one row for each new position
 * @param keys one row for each position
 * @param values one row for each position
 * @param results as many rows as {@code queries}: y, or its gradient
 * @param index {@code b · NH + h}
 */
record AttentionHead(HeadRows queries, HeadRows keys, HeadRows values, HeadRows results, long index) {
    /** {@return the element of dropout for a query and a key, of {@code length} positions in all} */
    long element(int query, int key, int length) {
        return (index * length + query) * length + key;
    }
}
