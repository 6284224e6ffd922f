/**
 * How ranks find and trust each other: {@link ds.comm.tcp.meet.Meeting} joins all of them by way of rank 0,
 * {@link ds.comm.tcp.meet.Doorkeeper} lets in whoever proves to belong to the job, by the {@link ds.comm.tcp.meet.Handshake}.
 */
package ds.comm.tcp.meet;
