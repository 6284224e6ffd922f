package ds.comm.tcp.connection;

import ds.comm.tcp.frame.Header;
import ds.comm.tcp.frame.Header.BadFrame;
import java.lang.foreign.MemorySegment;

/** Whom arriving frames concern. On the thread that moves all bytes. */
public interface Receiver {
    /** {@return where the body of a frame goes} */
    MemorySegment open(Connection connection, Header header) throws BadFrame;

    /** A frame is complete. */
    void arrived(Connection connection, Header header, MemorySegment body) throws BadFrame;

    /** A peer has sent what no rank of this release sends. */
    void bad(Connection connection, BadFrame frame);

    /** Nothing more will come from a peer. */
    void lost(Connection connection, String how);
}
