/**
 * The core operations of {@link ds.api.CoreKernels} but for matrix products, each on a part of its output; and what rearranges the
 * factors of those ({@link ds.backend.cpu.core.Panels}, {@link ds.backend.cpu.core.LeftRows}). Elements come into
 * F32 arrays of {@link ds.backend.cpu.vector.Lanes#CHUNK}, which stay in the first-level cache; loops over them are plain where
 * the compiler makes vectors of them, and in the Vector API where it does not.
 */
package ds.backend.cpu.core;
