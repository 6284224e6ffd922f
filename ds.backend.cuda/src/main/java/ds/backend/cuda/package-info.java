/**
 * A GPU as a device. Read in this order: {@link ds.backend.cuda.CudaBackendProvider} (what is there), {@link
 * ds.backend.cuda.CudaBackend} (memory and streams), {@link ds.backend.cuda.CudaCoreKernels} and {@link
 * ds.backend.cuda.CudaKernels} (what each kernel is launched with), {@link ds.backend.cuda.Products} (cuBLASLt), {@link
 * ds.backend.cuda.AlgorithmChoice} (its fastest algorithm), {@link ds.backend.cuda.KernelModules} (compiling, and keeping what was
 * compiled). The kernels themselves are CUDA C++, in the resources of this package. Native libraries are called in package {@code driver}
 * alone.
 */
package ds.backend.cuda;
