package ds.zero.offload;

import ds.api.TensorBackend;
import ds.zero.config.Offload;

/**
 * Where and with what this rank swaps.
 *
 * @param device of gradients and of gathered weights
 * @param backend whose memory is the host's; the device itself, where that is so
 * @param threads borrowed
 * @param offload folder and buffers
 * @param rank that names the files
 */
public record Swapping(
        TensorBackend device, TensorBackend backend, SwapThreads threads, Offload.Nvme offload, int rank) {
    /** {@return a new file, handed over} */
    public SwapFile open(String name, long[] bytes) {
        return new SwapFile(offload.folder().resolve("rank-%05d-%s".formatted(rank, name)), threads, bytes);
    }

    public int buffers() {
        return offload.buffers();
    }
}
