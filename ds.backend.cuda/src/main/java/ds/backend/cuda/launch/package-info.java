/**
 * Kernels from source to launch: {@link ds.backend.cuda.launch.KernelSource} (CUDA C++ of the module's resources), {@link
 * ds.backend.cuda.launch.KernelCache} (compiled, and kept), {@link ds.backend.cuda.launch.KernelModules} (loaded), {@link
 * ds.backend.cuda.launch.Launcher} (enqueued on a {@link ds.backend.cuda.launch.CudaStream}). {@link ds.backend.cuda.launch.FlashKernels}
 * says which there are for attention on tensor cores.
 */
package ds.backend.cuda.launch;
