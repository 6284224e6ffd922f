package ds.comm.tcp.wire;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/**
 * A connection to one other process, whose socket it owns. While ranks meet the socket blocks, and {@link #read(int, Deadline)}
 * and {@link #send} are used; then somebody makes it non-blocking, and the methods of a channel are. For one thread at a time.
 */
public abstract sealed class Wire implements FrameChannel, AutoCloseable permits PlainWire, TlsWire {
    private final SocketChannel socket;

    Wire(SocketChannel socket) {
        this.socket = socket;
    }

    /** {@return the socket, for its addresses, for selectors, and for who uses it instead of this from now on} */
    public final SocketChannel socket() {
        return socket;
    }

    /** {@return exactly this many bytes, however slowly they come, but not later than this} */
    public abstract ByteBuffer read(int bytes, Deadline deadline) throws IOException;

    /** Sends all of this, while the socket blocks. */
    public abstract void send(ByteBuffer bytes) throws IOException;

    /**
     * {@return what both ends and nobody between them know of this connection; nothing if it is not encrypted} A proof that
     * contains it cannot be passed on through another connection.
     */
    public abstract byte[] binding();

    /** Says that nothing follows. */
    public abstract void shutdownOutput() throws IOException;

    @Override
    public final long write(ByteBuffer[] sources) throws IOException {
        return write(sources, 0, sources.length);
    }

    @Override
    public final int write(ByteBuffer source) throws IOException {
        return (int) write(new ByteBuffer[] {source}, 0, 1);
    }

    @Override
    public final boolean isOpen() {
        return socket.isOpen();
    }

    @Override
    public final void close() {
        try {
            socket.close();
        } catch (IOException e) {
            // A socket that cannot be closed is closed already.
        }
    }

    /** Waits for bytes of a blocking socket, not longer than this. */
    final int readSome(byte[] target, int offset, int length, Deadline deadline) throws IOException {
        InputStream in = socket.socket().getInputStream();
        socket.socket().setSoTimeout(deadline.remainingMillis());
        int n = in.read(target, offset, length);
        if (n < 0) {
            throw new EOFException("the connection was closed");
        }
        return n;
    }
}
