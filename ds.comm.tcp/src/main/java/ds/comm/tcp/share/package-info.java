/**
 * Memory that two ranks of one host share: {@link ds.comm.tcp.share.Neighbours} finds out who they are,
 * {@link ds.comm.tcp.share.SharedChannel} is a connection through {@link ds.comm.tcp.share.Ring}s.
 */
package ds.comm.tcp.share;
