/** Tensors, layers, parameters and the service-provider interfaces. Requires {@code java.base} alone. */
module ds.api {
    exports ds.api;
}
