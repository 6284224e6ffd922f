package ds.bench;

import ds.api.DType;
import ds.models.gpt.GptConfig;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Which training from files is measured.
 *
 * @param shape of the model
 * @param microBatch sequences of a step on one rank
 * @param time T: tokens of a sequence
 * @param dtype F32, BF16 or F16
 * @param learningRate of AdamW; every step has the same batch, so that the loss falls
 * @param steps all are measured
 * @param folder in which the files lie, and the raw disk is measured
 * @param memoryLimit {@code ds.memory_limit}; empty for none
 * @param backend name of a provider
 * @param communicator name of a provider
 */
public record OffloadSetup(
        GptConfig shape,
        int microBatch,
        int time,
        DType dtype,
        double learningRate,
        int steps,
        Path folder,
        Optional<String> memoryLimit,
        String backend,
        String communicator) {
    /** Rejects counts below 1. */
    public OffloadSetup {
        StepSetup.positive("--micro-batch", microBatch);
        StepSetup.positive("--seq", time);
        StepSetup.positive("--steps", steps);
    }
}
