package ds.comm.tcp.wire;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** Bytes as they are. */
public final class PlainWire extends Wire {
    /** Takes over a connected socket. */
    public PlainWire(SocketChannel socket) {
        super(socket);
    }

    @Override
    public ByteBuffer read(int bytes, Deadline deadline) throws IOException {
        byte[] data = new byte[bytes];
        for (int at = 0; at < bytes; ) {
            at += readSome(data, at, bytes - at, deadline);
        }
        return ByteBuffer.wrap(data);
    }

    @Override
    public void send(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            socket().write(bytes);
        }
    }

    @Override
    public byte[] binding() {
        return new byte[0];
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
        return socket().read(target);
    }

    @Override
    public long write(ByteBuffer[] sources, int offset, int length) throws IOException {
        return socket().write(sources, offset, length);
    }

    @Override
    public void shutdownOutput() throws IOException {
        socket().shutdownOutput();
    }
}
