/** Sums and largest elements of the ranks' operands, in the order of ranks. */
package ds.comm.tcp.combine;
