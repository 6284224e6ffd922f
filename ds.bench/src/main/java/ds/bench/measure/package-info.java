/** How things are measured: what several timings say, and one loop on all processors. Knows none of the benchmarks. */
package ds.bench.measure;
