package ds.zero.run;

/**
 * What a step did.
 *
 * @param step counted from 1, skipped ones included
 * @param loss mean over the global batch; nats per token for a language model
 * @param gradientNorm global norm before clipping, of the mean gradient; where ranks exchange momenta instead, the root of the
 *     mean over ranks of the squared norms of their own; not finite if the step overflowed
 * @param learningRate with which the weights were updated
 * @param lossScale by which the loss was multiplied before it was differentiated; 1 unless the precision is FP16
 * @param skipped whether the update was skipped on all ranks, because a gradient was not finite
 * @param timing where the time of this rank went
 */
public record StepResult(
        long step,
        double loss,
        double gradientNorm,
        double learningRate,
        double lossScale,
        boolean skipped,
        Timing timing) {
    /** {@return the same, with these times} */
    public StepResult with(Timing measured) {
        return new StepResult(step, loss, gradientNorm, learningRate, lossScale, skipped, measured);
    }

    /**
     * Wall-clock nanoseconds of one rank, from the first forward pass of a step to the end of its update.
     *
     * @param forwardNanos forward passes of all micro-batches, without waits
     * @param backwardNanos backward passes, without waits
     * @param communicationNanos waits while bytes of collectives moved: exposed communication, which no compute hid
     * @param updateNanos norm, clipping, optimizer and casts, without waits
     * @param hiddenNanos in which bytes of collectives moved while this rank computed; not a part of the sum
     * @param idleNanos waits for ranks that had not come yet, and what the caller did between the calls of the engine
     */
    public record Timing(
            long forwardNanos,
            long backwardNanos,
            long communicationNanos,
            long updateNanos,
            long hiddenNanos,
            long idleNanos) {
        /** Nothing measured. */
        public static final Timing NONE = new Timing(0, 0, 0, 0, 0, 0);

        /** {@return the step, from end to end} */
        public long totalNanos() {
            return computeNanos() + communicationNanos + idleNanos;
        }

        /** {@return both passes and the update} */
        public long computeNanos() {
            return forwardNanos + backwardNanos + updateNanos;
        }
    }
}
