/**
 * Files that stand in for memory (ZeRO-Infinity, Rajbhandari et al., SC 2021, arXiv:2104.07857): blocks of fixed places, read and
 * written past the page cache by threads of their own, each with a checksum that is checked before a number is used. Read
 * {@link ds.zero.offload.SwapFile}, then {@link ds.zero.offload.DirectFile}.
 */
package ds.zero.offload;
