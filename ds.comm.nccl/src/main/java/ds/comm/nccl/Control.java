package ds.comm.nccl;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Tells the ranks of a job that one has failed: NCCL itself only waits. A star around rank 0, which passes on what it hears; a connection
 * that ends without a farewell is a rank that was lost.
 */
final class Control implements AutoCloseable {
    private static final int FAILED = 'F';
    private static final int LEAVES = 'L';
    private static final int MAX_BYTES = 4096;

    private final int rank;
    private final Map<Integer, Socket> connections;
    private final Consumer<String> onFailure;
    private volatile boolean closed;

    /**
     * Listens to connections, which it takes over.
     *
     * @param onFailure told why, from a thread of its own, when another rank has failed or is gone; perhaps more than once
     */
    Control(int rank, Map<Integer, Socket> connections, Consumer<String> onFailure) {
        this.rank = rank;
        this.connections = connections;
        this.onFailure = onFailure;
        connections.forEach((peer, socket) -> Thread.ofPlatform()
                .daemon()
                .name("ds.comm.nccl control " + peer)
                .start(() -> listen(peer, socket)));
    }

    private void listen(int peer, Socket socket) {
        try {
            DataInputStream in = new DataInputStream(socket.getInputStream());
            if (in.readUnsignedByte() == LEAVES) {
                return;
            }
            String reason =
                    new String(in.readNBytes(Math.min(in.readUnsignedShort(), MAX_BYTES)), StandardCharsets.UTF_8);
            heard(peer, reason);
        } catch (IOException e) {
            if (!closed) {
                heard(peer, "rank " + peer + " is gone: its connection to rank " + rank + " has ended");
            }
        }
    }

    private void heard(int from, String reason) {
        if (rank == 0) {
            tell(from, reason);
        }
        onFailure.accept(reason);
    }

    /** Tells all others why this rank fails. */
    void fail(String reason) {
        tell(rank, reason);
    }

    private void tell(int except, String reason) {
        byte[] text = reason.getBytes(StandardCharsets.UTF_8);
        int length = Math.min(text.length, MAX_BYTES);
        connections.forEach((peer, socket) -> {
            if (peer != except) {
                try {
                    DataOutputStream out = new DataOutputStream(socket.getOutputStream());
                    synchronized (socket) {
                        out.writeByte(FAILED);
                        out.writeShort(length);
                        out.write(text, 0, length);
                        out.flush();
                    }
                } catch (IOException gone) { // it will learn it from its own end of the connection
                    closeQuietly(socket);
                }
            }
        });
    }

    /** Takes leave of the others. */
    @Override
    public void close() {
        closed = true;
        connections.values().forEach(socket -> {
            try {
                synchronized (socket) {
                    socket.getOutputStream().write(LEAVES);
                }
                socket.shutdownOutput();
            } catch (IOException gone) { // nobody is left to be told
                closeQuietly(socket);
            }
        });
        connections.values().forEach(Control::closeQuietly);
    }

    private static void closeQuietly(Socket socket) {
        try {
            socket.close();
        } catch (IOException e) {
            System.getLogger(Control.class.getName()).log(System.Logger.Level.DEBUG, "closing a connection", e);
        }
    }
}
