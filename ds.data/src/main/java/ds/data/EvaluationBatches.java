package ds.data;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;

/**
 * One rank's share of a pass over a whole file: every token but the first is a target exactly once. Windows of T tokens follow
 * each other without overlap, and batch i holds the G windows from i · G on, dealt to the ranks in blocks.
 *
 * <p>The last window may be short, and the last batch may lack windows: the rest is filled with the end-of-text token, as input
 * and target, so that shapes stay the same. {@link #fill} returns how many targets are real. They come first: of the B·T losses
 * of a batch the first that many count. A causal model's losses there do not depend on the filling behind.
 */
public final class EvaluationBatches {
    private final TokenFile tokens;
    private final BatchPlan plan;

    /**
     * Batches of this file.
     *
     * @param tokens borrowed
     * @param plan how batches are dealt to ranks
     * @throws DataException if the file has fewer than 2 tokens
     */
    public EvaluationBatches(TokenFile tokens, BatchPlan plan) {
        tokens.checkLength(1);
        this.tokens = tokens;
        this.plan = plan;
    }

    /** {@return how many targets the whole pass has, over all ranks: the file's tokens without the first} */
    public long targets() {
        return tokens.tokens() - 1;
    }

    /** {@return how many batches cover the file; the same on every rank} */
    public long batches() {
        long batchTargets = (long) plan.globalBatch() * plan.sequenceLength();
        return Math.ceilDiv(targets(), batchTargets);
    }

    /**
     * Fills B windows, without a buffer between file and segments.
     *
     * @param batch in [0, {@link #batches})
     * @param first the first window in this rank's block
     * @param inputs I32 {@code [B, T]} in the machine's order; B follows from its size; overwritten
     * @param targets I32 {@code [B, T]}: the token after each input; overwritten
     * @return how many targets are real: the first so many of the B·T; 0 if the file ended before
     * @throws IllegalArgumentException if the segments are not of one size, not whole windows, or pass the rank's block
     */
    public long fill(long batch, int first, MemorySegment inputs, MemorySegment targets) {
        int count = plan.sequences(first, inputs.byteSize(), targets.byteSize());
        long length = (long) count * plan.sequenceLength();
        long window = Math.multiplyExact(batch, plan.globalBatch()) + plan.firstSequence() + first;
        long start = Math.min(window * plan.sequenceLength(), targets());
        long real = Math.min(length, targets() - start);
        tokens.copy(start, real, inputs, 0);
        tokens.copy(start + 1, real, targets, 0);
        for (long i = real; i < length; i++) {
            inputs.setAtIndex(JAVA_INT, i, tokens.endOfText());
            targets.setAtIndex(JAVA_INT, i, tokens.endOfText());
        }
        return real;
    }
}
