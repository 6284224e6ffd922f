package ds.bench;

import ds.api.DType;

/**
 * Which training step is measured.
 *
 * @param model name of a preset
 * @param microBatch sequences of a micro-batch on one rank
 * @param time T: tokens of a sequence
 * @param accumulation micro-batches of a step
 * @param dtype F32, BF16 or F16
 * @param stage ZeRO stage
 * @param steps measured, after two that are not
 * @param backend name of a provider
 * @param communicator name of a provider
 */
public record StepSetup(
        String model,
        int microBatch,
        int time,
        int accumulation,
        DType dtype,
        int stage,
        int steps,
        String backend,
        String communicator) {
    /** Rejects counts below 1. */
    public StepSetup {
        positive("--micro-batch", microBatch);
        positive("--seq", time);
        positive("--accumulation", accumulation);
        positive("--steps", steps);
    }

    static void positive(String option, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(option + " = " + value + ": must be at least 1");
        }
    }
}
