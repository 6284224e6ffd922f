/**
 * Collectives over TCP. Here is what callers see: {@link ds.comm.tcp.TcpCommunicatorProvider} joins a job,
 * {@link ds.comm.tcp.TcpCommunicator} checks what it is asked for and hands it on. Then read, from the top: package
 * {@link ds.comm.tcp.mesh} (the one thread that moves all bytes), {@link ds.comm.tcp.collective} (the algorithms),
 * {@link ds.comm.tcp.group} (who waits for whom), {@link ds.comm.tcp.connection} (the link to one other rank),
 * {@link ds.comm.tcp.flow} (operands on their way), {@link ds.comm.tcp.frame} (what is on the wire). Each knows only those that
 * come after it, and {@code mesh} and {@code collective} do not know each other. Below them are {@link ds.comm.tcp.meet} (how ranks
 * find and trust each other), {@link ds.comm.tcp.share} (memory between ranks of one host), {@link ds.comm.tcp.pace},
 * {@link ds.comm.tcp.combine}, {@link ds.comm.tcp.wire} and {@link ds.comm.tcp.tls}.
 *
 * <p>Every rank announces an operation to every other member of its group with a START frame, which says what it is about to
 * do: so ranks that disagree find out, and nobody is ever more than one operation ahead. What a START promises to take is sent
 * as DATA; what has to wait in an inbox is sent only as far as credit was given. Therefore a receiver always has a place for
 * what arrives and never stops reading, and groups that share a connection cannot block each other.
 */
package ds.comm.tcp;
