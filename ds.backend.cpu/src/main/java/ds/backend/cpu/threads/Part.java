package ds.backend.cpu.threads;

/**
 * What one thread does of a kernel call: rows, elements, columns or heads, as the kernel says.
 *
 * @param first the first one
 * @param last the one after the last
 * @param scratch of the thread; used by no other thread meanwhile
 */
public record Part(long first, long last, Scratch scratch) {}
