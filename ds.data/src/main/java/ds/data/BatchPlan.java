package ds.data;

/**
 * How a global batch is dealt to the ranks: rank r of N has the r-th block of G / N sequences. Micro-batches are consecutive
 * parts of that block, so accumulation does not change which sequences a step sees.
 *
 * @param globalBatch G, sequences of all ranks and micro-batches of one step
 * @param sequenceLength T, tokens of one sequence
 * @param rank r, in [0, N)
 * @param worldSize N
 */
public record BatchPlan(int globalBatch, int sequenceLength, int rank, int worldSize) {
    /** Rejects what cannot be dealt evenly. */
    public BatchPlan {
        if (worldSize < 1 || rank < 0 || rank >= worldSize) {
            throw new IllegalArgumentException(
                    "rank " + rank + " of " + worldSize + " ranks; it must lie in [0, worldSize)");
        }
        if (sequenceLength < 1) {
            throw new IllegalArgumentException("sequence length " + sequenceLength + "; it must be at least 1");
        }
        if (globalBatch < 1 || globalBatch % worldSize != 0) {
            throw new DataException("rank " + rank + ": a global batch of " + globalBatch
                    + " sequences cannot be dealt evenly to " + worldSize
                    + " ranks; make train_batch_size a multiple of the number of ranks");
        }
    }

    /** {@return G / N, how many sequences of each global batch this rank has} */
    public int sequencesPerRank() {
        return globalBatch / worldSize;
    }

    /** {@return the place of this rank's first sequence in the global batch} */
    public int firstSequence() {
        return rank * sequencesPerRank();
    }

    /**
     * {@return B, the sequences that fit into segments of [B, T] I32}
     *
     * @throws IllegalArgumentException if the two differ in size, are not whole sequences, or pass the end of the rank's block
     */
    int sequences(int first, long inputBytes, long targetBytes) {
        long sequenceBytes = (long) sequenceLength * Integer.BYTES;
        long count = inputBytes / sequenceBytes;
        if (inputBytes != targetBytes || inputBytes % sequenceBytes != 0 || count < 1) {
            throw new IllegalArgumentException("rank " + rank + ": inputs of " + inputBytes + " bytes, targets of "
                    + targetBytes + "; both must be the same multiple of the " + sequenceBytes
                    + " bytes of one sequence");
        }
        if (first < 0 || first + count > sequencesPerRank()) {
            throw new IllegalArgumentException("rank " + rank + ": sequences " + first + " to " + (first + count)
                    + " of a block of " + sequencesPerRank() + "; stay within the block");
        }
        return (int) count;
    }
}
