/**
 * The link to one other rank, which all groups share: {@link ds.comm.tcp.connection.Connection}, whose frames go out by
 * {@link ds.comm.tcp.connection.FrameWriter} and come in by {@link ds.comm.tcp.connection.FrameReader}, to a
 * {@link ds.comm.tcp.connection.Receiver}. Who has something to write is in {@link ds.comm.tcp.connection.Wakeups}; who is reached
 * through memory, in {@link ds.comm.tcp.connection.Vicinity}.
 */
package ds.comm.tcp.connection;
