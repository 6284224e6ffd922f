/**
 * A GPU as a device. Read in this order: {@link ds.backend.cuda.CudaBackendProvider} (what is there), {@link
 * ds.backend.cuda.CudaBackend} (memory and streams), {@link ds.backend.cuda.CudaCoreKernels} and {@link
 * ds.backend.cuda.CudaKernels} (what each kernel is launched with). Below it, each knowing only what comes after it: package {@code product}
 * (cuBLASLt), {@code launch} (kernels from source to launch), {@code driver} (native libraries). The kernels themselves are CUDA C++, in the
 * resources of this package.
 */
package ds.backend.cuda;
