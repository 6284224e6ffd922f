package ds.comm.tcp.meet;

import ds.comm.tcp.wire.Wire;
import java.net.InetSocketAddress;

/**
 * A connection to a rank that has proved to belong to the job.
 *
 * @param rank of the peer
 * @param address of the peer, for messages
 * @param listenPort where the peer accepts other ranks
 * @param wire blocking; owned
 */
public record Link(int rank, InetSocketAddress address, int listenPort, Wire wire) implements AutoCloseable {
    @Override
    public void close() {
        wire.close();
    }

    /** {@return the peer's rank, host and port, for messages} */
    public String name() {
        return name(rank, address);
    }

    static String name(int rank, InetSocketAddress address) {
        return "rank " + rank + " (" + address.getAddress().getHostAddress() + ":" + address.getPort() + ")";
    }
}
