/**
 * The tensor backend of the processor. Read in this order: {@link ds.backend.cpu.CpuBackend} (memory, streams, threads),
 * {@link ds.backend.cpu.threads} (how one kernel is shared by threads), {@link ds.backend.cpu.CpuKernels} (which kernel does
 * what), {@link ds.backend.cpu.product} and {@link ds.backend.cpu.attention} (oneDNN). Kernels in the Vector API are in
 * {@link ds.backend.cpu.vector}, the core's others in {@link ds.backend.cpu.core}. Nobody requires a package that requires it.
 *
 * <p>Every result is the same, bit for bit, for any number of threads: work is shared by outputs, or in blocks whose size
 * depends on the tensor alone.
 */
package ds.backend.cpu;
