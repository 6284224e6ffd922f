/**
 * How one kernel is shared by threads: {@link ds.backend.cpu.threads.WorkerPool} deals out {@link ds.backend.cpu.threads.Part}s, each
 * with the {@link ds.backend.cpu.threads.Scratch} of the thread that computes it. Knows no kernel.
 */
package ds.backend.cpu.threads;
