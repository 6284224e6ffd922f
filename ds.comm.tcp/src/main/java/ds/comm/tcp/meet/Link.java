package ds.comm.tcp.meet;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.SocketChannel;

/**
 * A connection to a rank that has proved to belong to the job.
 *
 * @param rank of the peer
 * @param address of the peer, for messages
 * @param listenPort where the peer accepts other ranks
 * @param channel blocking; owned
 */
public record Link(int rank, InetSocketAddress address, int listenPort, SocketChannel channel)
        implements AutoCloseable {
    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            // A socket that cannot be closed is closed already.
        }
    }

    /** {@return the peer's rank, host and port, for messages} */
    public String name() {
        return "rank " + rank + " (" + address.getAddress().getHostAddress() + ":" + address.getPort() + ")";
    }
}
