package ds.data;

import java.lang.foreign.MemorySegment;

/**
 * One rank's share of the training batches, straight from the mapped file. Stateless: any step can be asked for, in any order,
 * and a resumed run asks for its next one.
 */
public final class TrainingBatches {
    private final TokenFile tokens;
    private final BatchPlan plan;
    private final Sampler sampler;

    /**
     * Batches of this file.
     *
     * @param tokens borrowed
     * @param plan how batches are dealt to ranks
     * @param seed of the order
     * @throws DataException if the file is too short for one sequence
     */
    public TrainingBatches(TokenFile tokens, BatchPlan plan, long seed) {
        tokens.checkLength(plan.sequenceLength());
        this.tokens = tokens;
        this.plan = plan;
        this.sampler = new Sampler(seed, tokens.tokens(), plan.sequenceLength());
    }

    /** {@return how batches are dealt to ranks} */
    public BatchPlan plan() {
        return plan;
    }

    /** {@return which window each sequence is} */
    public Sampler sampler() {
        return sampler;
    }

    /**
     * Fills one micro-batch of B sequences, without a buffer between file and segments.
     *
     * @param step from 0
     * @param first the micro-batch's first sequence in this rank's block: m · B for micro-batch m
     * @param inputs I32 {@code [B, T]} in the machine's order; B follows from its size; overwritten
     * @param targets I32 {@code [B, T]}: the token after each input; overwritten
     * @throws IllegalArgumentException if the segments are not of one size, not whole sequences, or pass the rank's block
     */
    public void fill(long step, int first, MemorySegment inputs, MemorySegment targets) {
        int count = plan.sequences(first, inputs.byteSize(), targets.byteSize());
        int length = plan.sequenceLength();
        long sequence = Math.multiplyExact(step, plan.globalBatch()) + plan.firstSequence() + first;
        for (int b = 0; b < count; b++) {
            long start = sampler.start(sequence + b);
            tokens.copy(start, length, inputs, (long) b * length);
            tokens.copy(start + 1, length, targets, (long) b * length);
        }
    }
}
