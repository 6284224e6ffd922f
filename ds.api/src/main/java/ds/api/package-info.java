/**
 * Memory of a device and arithmetic on it: a {@link ds.api.TensorBackend} hands out {@link ds.api.Buffer}s, a
 * {@link ds.api.Tensor} is a typed view of one, and {@link ds.api.Kernels} compute on tensors in the order of a
 * {@link ds.api.Stream}.
 */
package ds.api;
