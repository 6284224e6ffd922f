package ds.api;

import java.lang.foreign.MemorySegment;

/** Copies between a device and host memory that are done when they return, for kernels that are composed on the host. */
final class HostCopies {
    private HostCopies() {}

    /** Fills the beginning of host memory with a tensor. */
    static void download(CoreKernels k, Tensor from, MemorySegment to) {
        k.backend().download(from, to.asSlice(0, from.byteSize()), k.stream());
        k.stream().synchronize();
    }

    /** Fills a tensor with the beginning of host memory. */
    static void upload(CoreKernels k, MemorySegment from, Tensor to) {
        k.backend().upload(from.asSlice(0, to.byteSize()), to, k.stream());
        k.stream().synchronize();
    }
}
