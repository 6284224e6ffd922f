/**
 * The bytes between two ranks over one socket: {@link ds.comm.tcp.wire.Wire}, as they are or within TLS. Blocking with
 * deadlines while ranks meet, and afterwards never.
 */
package ds.comm.tcp.wire;
