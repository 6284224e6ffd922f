/**
 * ZeRO++ (Wang et al., arXiv:2306.10209): weights that are gathered in 8 bits ({@link ds.zero.quantized.QuantizedGather}), from the ranks
 * of a part of the job once they are there ({@link ds.zero.quantized.SecondaryShards}), and gradients that are summed in 4 bits, host
 * by host ({@link ds.zero.quantized.QuantizedSums}).
 *
 * <p>Nothing here has a state that outlives an update: what is rounded away is not fed back, and secondary shards are copies.
 */
package ds.zero.quantized;
