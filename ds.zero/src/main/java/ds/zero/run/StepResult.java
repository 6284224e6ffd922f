package ds.zero.run;

/**
 * What a step did.
 *
 * @param step counted from 1, skipped ones included
 * @param loss mean over the global batch; nats per token for a language model
 * @param gradientNorm global norm before clipping, of the mean gradient; not finite if the step overflowed
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
    /**
     * Wall-clock nanoseconds of one rank.
     *
     * @param forwardNanos forward passes of all micro-batches
     * @param backwardNanos backward passes, without waiting for communication
     * @param communicationNanos waiting for collectives: communication that no compute hid
     * @param updateNanos norm, clipping, optimizer and casts
     */
    public record Timing(long forwardNanos, long backwardNanos, long communicationNanos, long updateNanos) {
        /** {@return the sum} */
        public long totalNanos() {
            return forwardNanos + backwardNanos + communicationNanos + updateNanos;
        }
    }
}
