/**
 * Tensors on NVIDIA GPUs: matrix products by cuBLASLt, everything else by kernels that are compiled for the device found. Calls the
 * driver and the toolkit's libraries directly, and needs no jar but ds.cuda beside it. Exports nothing: reached only as the provider named "cuda".
 */
module ds.backend.cuda {
    requires ds.api;
    requires ds.cuda;

    provides ds.api.spi.TensorBackendProvider with
            ds.backend.cuda.CudaBackendProvider;
}
