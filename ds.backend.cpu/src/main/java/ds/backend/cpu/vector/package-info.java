/**
 * Kernels in the Vector API. Each works on a part of a tensor, exactly, so that a pool of threads can share one call; whatever
 * is summed over parts is summed in an order that does not depend on the number of threads.
 *
 * <p>How a kernel reads: {@link ds.backend.cpu.vector.Elements} brings a row or a chunk of any type into an F32 array padded to
 * whole vectors, loops run over that array without tails, and the result is rounded once on its way back. Arrays come from
 * the thread's {@link ds.backend.cpu.threads.Scratch}. Letters as in {@link ds.api.Kernels}.
 *
 * <p>A rule for whoever changes a loop: a method of ours that takes or returns a vector is called by the loop itself, is small, and
 * has no branch. The compiler always inlines the Vector API's own methods, but ours only within a budget; past it, and where two
 * branches meet with a vector each, every vector becomes an object, and the loop many times slower. {@code -Xlog:gc} shows it.
 */
package ds.backend.cpu.vector;
