/**
 * 1-bit communication with error feedback: {@link ds.zero.onebit.CompressedAllReduce} is the collective. Which numbers it exchanges, and
 * what becomes of them, optimizers say ({@code ds.zero.optimizer.OneBitUpdate}). Source: Tang et al., 1-bit Adam, arXiv:2102.02888.
 */
package ds.zero.onebit;
