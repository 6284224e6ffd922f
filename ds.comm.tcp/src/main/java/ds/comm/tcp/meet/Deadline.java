package ds.comm.tcp.meet;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;

/** A point in time after which waiting ends. */
record Deadline(long nanos) {
    static Deadline in(Duration duration) {
        return new Deadline(System.nanoTime() + duration.toNanos());
    }

    long remainingNanos() {
        return nanos - System.nanoTime();
    }

    /** {@return what remains, at least 1: 0 would mean for ever to a socket} */
    int remainingMillis() throws SocketTimeoutException {
        long millis = remainingNanos() / 1_000_000;
        if (millis <= 0) {
            throw new SocketTimeoutException("no answer in time");
        }
        return (int) Math.min(Integer.MAX_VALUE, millis);
    }

    /** {@return exactly this many bytes from a blocking channel, however slowly they come, but not later than this} */
    ByteBuffer read(SocketChannel channel, int bytes) throws IOException {
        byte[] data = new byte[bytes];
        InputStream in = channel.socket().getInputStream();
        for (int at = 0; at < bytes; ) {
            channel.socket().setSoTimeout(remainingMillis());
            int n = in.read(data, at, bytes - at);
            if (n < 0) {
                throw new EOFException("the connection was closed after " + at + " of " + bytes + " bytes");
            }
            at += n;
        }
        return ByteBuffer.wrap(data);
    }
}
