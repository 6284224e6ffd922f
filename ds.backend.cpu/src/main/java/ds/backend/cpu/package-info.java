/**
 * The tensor backend of the processor. Read in this order: {@link ds.backend.cpu.CpuBackend} (memory, streams, threads),
 * {@link ds.backend.cpu.WorkerPool} (how one kernel is shared by threads), {@link ds.backend.cpu.CpuKernels} (which kernel does
 * what), {@link ds.backend.cpu.MatrixProducts} (oneDNN). Kernels in the Vector API are in {@link ds.backend.cpu.vector}.
 *
 * <p>Every result is the same, bit for bit, for any number of threads: work is shared by outputs, or in blocks whose size
 * depends on the tensor alone.
 */
package ds.backend.cpu;
