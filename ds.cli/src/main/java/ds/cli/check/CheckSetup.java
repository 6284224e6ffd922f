package ds.cli.check;

import ds.api.DType;
import java.nio.file.Path;

/**
 * What to check.
 *
 * @param folder of the reference
 * @param stage ZeRO stage
 * @param tensorParallel over how many ranks each layer is split
 * @param dtype F32, BF16 or F16
 * @param backend name of a provider
 * @param communicator name of a provider
 */
public record CheckSetup(
        Path folder, int stage, int tensorParallel, DType dtype, String backend, String communicator) {}
