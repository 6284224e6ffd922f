package ds.zero.config;

import ds.zero.config.json.Block;
import ds.zero.config.json.Range;
import java.nio.file.Path;
import java.util.List;

/** Where states lie between their uses (ZeRO-Offload, arXiv:2101.06840; ZeRO-Infinity, arXiv:2104.07857). */
public sealed interface Offload {
    /** On the device that computes. */
    record None() implements Offload {}

    /**
     * In host memory. For a backend whose memory is the host's, where they are anyway.
     *
     * @param ratio the part of the states that is; the rest is on the device
     */
    record Cpu(double ratio) implements Offload {
        /** All of them. */
        public Cpu() {
            this(1);
        }
    }

    /**
     * In files.
     *
     * @param folder of fast local disks; each rank makes files of its own there, and removes them when it ends
     * @param buffers tiles that are in memory at once: read ahead, in use, and on their way back
     * @param ratio the part of the states that is; the rest is in the device's memory
     */
    record Nvme(Path folder, int buffers, double ratio) implements Offload {
        /** All of them. */
        public Nvme(Path folder, int buffers) {
            this(folder, buffers, 1);
        }
    }

    /** {@return the part that is elsewhere than on the device} */
    default double ratio() {
        return switch (this) {
            case None() -> 0;
            case Cpu(double ratio) -> ratio;
            case Nvme(Path _, int _, double ratio) -> ratio;
        };
    }

    /** {@return what the block {@code offload_optimizer} says} */
    static Offload readOptimizer(Block block) {
        return read(block, 4, block.number("ratio", 1, Range.closed(0, 1)));
    }

    /** {@return what the block {@code offload_param} says} */
    static Offload readParameters(Block block) {
        return read(block, 5, 1);
    }

    private static Offload read(Block block, int defaultBuffers, double ratio) {
        String device = block.oneOf("device", "none", List.of("none", "cpu", "nvme"));
        String folder = block.optionalText("nvme_path").orElse("");
        int buffers = (int) block.integer("buffer_count", defaultBuffers, 3, 64);
        return switch (device) {
            case "cpu" -> new Cpu(ratio);
            case "nvme" -> {
                if (folder.isBlank()) {
                    block.problem("nvme_path", "is missing", "name a folder on a fast local disk");
                }
                yield new Nvme(Path.of(folder), buffers, ratio);
            }
            default -> new None();
        };
    }
}
