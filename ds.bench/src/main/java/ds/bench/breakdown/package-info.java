/**
 * Where the time of a training step goes. Read in this order: {@link ds.bench.breakdown.KernelCall} (what a kernel has to do),
 * {@link ds.bench.breakdown.TimedKernels} (every call of a step, with its time), {@link ds.bench.breakdown.MachineLimits} (how
 * fast this machine could do it), {@link ds.bench.breakdown.Breakdown} (both together).
 */
package ds.bench.breakdown;
