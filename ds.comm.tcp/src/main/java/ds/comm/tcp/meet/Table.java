package ds.comm.tcp.meet;

import ds.api.comm.CommunicatorException;
import ds.comm.tcp.wire.Deadline;
import ds.comm.tcp.wire.Wire;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
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
    private static final int MAX_PORT = 65535;

    private final ByteBuffer body;

    Table(List<Link> links) {
        body = ByteBuffer.allocate(links.size() * (1 + 16 + Integer.BYTES));
        links.stream()
                .sorted(Comparator.comparingInt(Link::rank))
                .forEach(link -> put(link.address().getAddress().getAddress(), link.listenPort()));
        body.flip();
    }

    private void put(byte[] host, int port) {
        body.put((byte) host.length).put(host).putInt(port);
    }

    void send(Wire wire) throws IOException {
        send(wire, TABLE, body.duplicate());
    }

    private static void send(Wire wire, int code, ByteBuffer body) throws IOException {
        ByteBuffer message = ByteBuffer.allocate(2 * Integer.BYTES + body.remaining());
        wire.send(message.putInt(code).putInt(body.remaining()).put(body).flip());
    }

    /** Tells a rank that has joined why there is no job. */
    static void refuse(Wire wire, String reason) {
        byte[] text = reason.getBytes(StandardCharsets.UTF_8);
        try {
            send(wire, REFUSAL, ByteBuffer.wrap(text, 0, Math.min(text.length, MAX_TEXT_BYTES)));
        } catch (IOException e) {
            // It is gone, and needs no reason.
        }
    }

    /** {@return where the ranks from 1 on listen, as rank 0 says} */
    static List<InetSocketAddress> receive(Link master, Deadline deadline, String who) {
        try {
            ByteBuffer head = master.wire().read(2 * Integer.BYTES, deadline);
            int code = head.getInt();
            int bytes = head.getInt();
            if (bytes < 0 || bytes > MAX_BODY_BYTES || code < TABLE || code > REFUSAL) {
                throw new CommunicatorException(who + master.name() + " sent a table of code " + code + " and " + bytes
                        + " bytes: run the same release of ds on all ranks");
            }
            ByteBuffer body = master.wire().read(bytes, deadline);
            if (code == REFUSAL) {
                throw new CommunicatorException(who + "the job does not form: " + StandardCharsets.UTF_8.decode(body));
            }
            return read(body);
        } catch (IOException e) {
            throw new CommunicatorException(
                    who + "lost " + master.name() + " while it waited for the other ranks: " + e, e);
        }
    }

    /**
     * {@return the addresses in a table}
     *
     * @throws IOException if it is none
     */
    static List<InetSocketAddress> read(ByteBuffer body) throws IOException {
        List<InetSocketAddress> addresses = new ArrayList<>();
        while (body.hasRemaining()) {
            byte[] host = new byte[body.get() == 16 ? 16 : 4];
            if (body.get(body.position() - 1) != host.length || body.remaining() < host.length + Integer.BYTES) {
                throw new IOException("entry " + addresses.size() + " of its table is no address");
            }
            body.get(host);
            int port = body.getInt();
            if (port < 0 || port > MAX_PORT) {
                throw new IOException("entry " + addresses.size() + " of its table has port " + port);
            }
            addresses.add(new InetSocketAddress(InetAddress.getByAddress(host), port));
        }
        return addresses;
    }
}
