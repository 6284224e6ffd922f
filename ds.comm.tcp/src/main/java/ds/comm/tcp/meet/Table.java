package ds.comm.tcp.meet;

import ds.api.comm.CommunicatorException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Where the ranks from 1 on listen; or why the job does not form. On the wire: a code, the size of the body, the body; per
 * rank the address's size in one byte, the address, and its port.
 */
final class Table {
    private static final int TABLE = 0;
    private static final int REFUSAL = 1;
    private static final int MAX_BODY_BYTES = 1 << 20;
    private static final int MAX_TEXT_BYTES = 4096;

    private final ByteBuffer body;

    Table(List<Link> links) {
        body = ByteBuffer.allocate(links.size() * (1 + 16 + Integer.BYTES));
        links.stream()
                .sorted(java.util.Comparator.comparingInt(Link::rank))
                .forEach(link -> put(link.address().getAddress().getAddress(), link.listenPort()));
        body.flip();
    }

    private Table(ByteBuffer body) {
        this.body = body;
    }

    private void put(byte[] host, int port) {
        body.put((byte) host.length).put(host).putInt(port);
    }

    /** {@return where a rank above 0 listens} */
    InetSocketAddress address(int rank) throws IOException {
        ByteBuffer entries = body.duplicate();
        for (int r = 1; ; r++) {
            byte[] host = new byte[entries.get()];
            entries.get(host);
            int port = entries.getInt();
            if (r == rank) {
                return new InetSocketAddress(InetAddress.getByAddress(host), port);
            }
        }
    }

    void send(SocketChannel channel) throws IOException {
        send(channel, TABLE, body.duplicate());
    }

    private static void send(SocketChannel channel, int code, ByteBuffer body) throws IOException {
        ByteBuffer message = ByteBuffer.allocate(2 * Integer.BYTES + body.remaining());
        message.putInt(code).putInt(body.remaining()).put(body).flip();
        while (message.hasRemaining()) {
            channel.write(message);
        }
    }

    /** Tells a rank that has joined why there is no job. */
    static void refuse(SocketChannel channel, String reason) {
        byte[] text = reason.getBytes(StandardCharsets.UTF_8);
        try {
            send(channel, REFUSAL, ByteBuffer.wrap(text, 0, Math.min(text.length, MAX_TEXT_BYTES)));
        } catch (IOException e) {
            // It is gone, and needs no reason.
        }
    }

    /** Waits for rank 0's table. */
    static Table receive(Link master, Deadline deadline, String who) {
        try {
            ByteBuffer head = deadline.read(master.channel(), 2 * Integer.BYTES);
            int code = head.getInt();
            int bytes = head.getInt();
            if (bytes < 0 || bytes > MAX_BODY_BYTES || code < TABLE || code > REFUSAL) {
                throw new CommunicatorException(who + master.name() + " sent a table of code " + code + " and " + bytes
                        + " bytes: run the same release of ds on all ranks");
            }
            ByteBuffer body = deadline.read(master.channel(), bytes);
            if (code == REFUSAL) {
                throw new CommunicatorException(who + "the job does not form: " + StandardCharsets.UTF_8.decode(body));
            }
            return new Table(body);
        } catch (IOException e) {
            throw new CommunicatorException(
                    who + "lost " + master.name() + " while it waited for the other ranks: " + e, e);
        }
    }
}
