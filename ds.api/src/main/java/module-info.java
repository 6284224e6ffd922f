/**
 * Tensors and kernels ({@link ds.api}), layers ({@link ds.api.layer}), communicators ({@link ds.api.comm}) and the
 * service-provider interfaces through which backends, communicators and optimizers are found ({@link ds.api.spi}).
 * Requires {@code java.base} alone; the only module that looks providers up.
 */
module ds.api {
    exports ds.api;
    exports ds.api.comm;
    exports ds.api.layer;
    exports ds.api.spi;

    uses ds.api.spi.TensorBackendProvider;
    uses ds.api.spi.CommunicatorProvider;
    uses ds.api.spi.OptimizerProvider;
}
