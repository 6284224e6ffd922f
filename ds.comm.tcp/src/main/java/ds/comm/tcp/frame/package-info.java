/**
 * What is on the wire: {@link ds.comm.tcp.frame.Header}, which precedes every body and says what kind of frame it is
 * ({@link ds.comm.tcp.frame.FrameKind}), and about which operation ({@link ds.comm.tcp.frame.Subject}); what ranks have to agree on is
 * a {@link ds.comm.tcp.frame.Descriptor}.
 */
package ds.comm.tcp.frame;
