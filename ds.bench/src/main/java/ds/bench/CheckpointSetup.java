package ds.bench;

import ds.api.DType;
import java.nio.file.Path;

/**
 * Whose checkpoints are measured.
 *
 * @param model name of a preset
 * @param dtype F32, BF16 or F16
 * @param stage ZeRO stage
 * @param repeats saves of each kind, and loads
 * @param folder in which checkpoints are written, and the raw disk is measured
 * @param backend name of a provider
 * @param communicator name of a provider
 */
public record CheckpointSetup(
        String model, DType dtype, int stage, int repeats, Path folder, String backend, String communicator) {
    /** Rejects counts below 1. */
    public CheckpointSetup {
        StepSetup.positive("--repeats", repeats);
    }
}
