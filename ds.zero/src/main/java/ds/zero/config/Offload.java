package ds.zero.config;

import ds.zero.config.json.Block;
import java.nio.file.Path;
import java.util.List;

/** Where states lie between their uses (ZeRO-Offload, arXiv:2101.06840; ZeRO-Infinity, arXiv:2104.07857). */
public sealed interface Offload {
    /** On the device that computes. */
    record None() implements Offload {}

    /** In host memory: for a backend whose memory is the host's, where they are anyway. */
    record Cpu() implements Offload {}

    /**
     * In files.
     *
     * @param folder of fast local disks; each rank makes files of its own there, and removes them when it ends
     * @param buffers tiles that are in memory at once: read ahead, in use, and on their way back
     */
    record Nvme(Path folder, int buffers) implements Offload {}

    /** {@return what a block {@code offload_param} or {@code offload_optimizer} says} */
    static Offload read(Block block, int defaultBuffers) {
        String device = block.oneOf("device", "none", List.of("none", "cpu", "nvme"));
        String folder = block.optionalText("nvme_path").orElse("");
        int buffers = (int) block.integer("buffer_count", defaultBuffers, 3, 64);
        return switch (device) {
            case "cpu" -> new Cpu();
            case "nvme" -> {
                if (folder.isBlank()) {
                    block.problem("nvme_path", "is missing", "name a folder on a fast local disk");
                }
                yield new Nvme(Path.of(folder), buffers);
            }
            default -> new None();
        };
    }
}
