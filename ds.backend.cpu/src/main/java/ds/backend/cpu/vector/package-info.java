/**
 * Kernels in the Vector API. Each works on a part of a tensor, exactly, so that a pool of threads can share one call; whatever
 * is summed over parts is summed in an order that does not depend on the number of threads.
 *
 * <p>How a kernel reads: {@link ds.backend.cpu.vector.Lanes} brings a row or a chunk of any type into an F32 array padded to
 * whole vectors, loops run over that array without tails, and the result is rounded once on its way back. Arrays come from
 * the thread's {@link ds.backend.cpu.vector.Scratch}. Letters as in {@link ds.api.Kernels}.
 */
package ds.backend.cpu.vector;
