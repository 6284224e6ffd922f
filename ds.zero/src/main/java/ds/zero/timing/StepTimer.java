package ds.zero.timing;

import ds.zero.run.StepResult;

/** Adds up where the time of a step goes. */
public final class StepTimer {
    private long forwardNanos;
    private long backwardNanos;
    private long exposedNanos;
    private long updateStart;

    public void addForward(long start) {
        forwardNanos += System.nanoTime() - start;
    }

    public void addBackward(long start) {
        backwardNanos += System.nanoTime() - start;
    }

    /**
     * Ends the passes.
     *
     * @param waited nanoseconds in them that were spent waiting for communication
     */
    public void backwardDone(long waited) {
        exposedNanos = waited;
        updateStart = System.nanoTime();
    }

    /**
     * {@return the times of the step; the next one starts at zero}
     *
     * @param waited nanoseconds of the update that were spent waiting for communication
     */
    public StepResult.Timing done(long waited) {
        StepResult.Timing timing = new StepResult.Timing(
                forwardNanos,
                Math.max(0, backwardNanos - exposedNanos),
                exposedNanos + waited,
                System.nanoTime() - updateStart - waited);
        forwardNanos = 0;
        backwardNanos = 0;
        return timing;
    }
}
