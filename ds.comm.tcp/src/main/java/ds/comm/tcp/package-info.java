/**
 * Collectives over TCP. Read in this order: {@link ds.comm.tcp.TcpCommunicator} (what callers see), {@link ds.comm.tcp.Mesh}
 * (the one thread that moves all bytes), {@link ds.comm.tcp.Lane} and {@link ds.comm.tcp.Operation} (who waits for what),
 * {@link ds.comm.tcp.Reduction}, {@link ds.comm.tcp.RingAllGather}, {@link ds.comm.tcp.HierarchicalReduction} (the algorithms),
 * {@link ds.comm.tcp.Header} (the wire), and package {@link ds.comm.tcp.share} (memory between ranks of one host).
 *
 * <p>Every rank announces an operation to every other member of its group with a START frame, which says what it is about to
 * do: so ranks that disagree find out, and nobody is ever more than one operation ahead. What a START promises to take is sent
 * as DATA; what has to wait in an inbox is sent only as far as credit was given. Therefore a receiver always has a place for
 * what arrives and never stops reading, and groups that share a connection cannot block each other.
 */
package ds.comm.tcp;
