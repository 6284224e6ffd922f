package ds.zero;

import ds.api.TensorBackend;
import ds.zero.config.Offload;
import ds.zero.offload.SwapFile;
import ds.zero.offload.SwapThreads;

/**
 * Where and with what this rank swaps.
 *
 * @param device of gradients and of gathered weights
 * @param backend whose memory is the host's; the device itself, where that is so
 * @param threads borrowed
 * @param offload folder and buffers
 * @param rank that names the files
 */
record Swapping(TensorBackend device, TensorBackend backend, SwapThreads threads, Offload.Nvme offload, int rank) {
    /** {@return a new file, handed over} */
    SwapFile open(String name, long[] bytes) {
        return new SwapFile(offload.folder().resolve("rank-%05d-%s".formatted(rank, name)), threads, bytes);
    }

    int buffers() {
        return offload.buffers();
    }
}
