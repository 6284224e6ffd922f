package ds.comm.tcp.wire;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;

/**
 * Bytes within TLS. They are copied to arrays and from there: AES-GCM of the JDK takes 4.3 GB/s from array to array, and 1.6 GB/s
 * where either is native memory. That a stream was cut off is seen by who reads frames: the last one of a rank that leaves
 * says so.
 */
public final class TlsWire extends Wire {
    /** Records in one call of the system. */
    private static final int RECORDS = 8;

    /** What fits into one record. */
    private static final int PLAIN_BYTES = 1 << 14;

    private static final int RECORD_HEADER_BYTES = 5;
    private static final int ALERT = 21;
    private static final int HANDSHAKE = 22;
    /** A stranger says no more than this, and proves nothing. */
    private static final int MAX_HANDSHAKE_BYTES = 1 << 16;

    private static final String BINDING = "EXPORTER-ds.comm.tcp";
    private static final int BINDING_BYTES = 32;
    private static final ByteBuffer[] NOTHING = {};

    private final SSLEngine engine;
    private final int recordBytes;
    private final ByteBuffer arrived;
    private final ByteBuffer content;
    private final ByteBuffer plain = ByteBuffer.allocate(PLAIN_BYTES);
    private final ByteBuffer leaving;
    private final byte[] blocking = new byte[4096];
    private boolean heard;
    private boolean ended;

    /**
     * Takes over a connected socket, which blocks.
     *
     * @param engine of the role of this end; nothing has been said yet
     */
    public TlsWire(SocketChannel socket, SSLEngine engine) {
        super(socket);
        this.engine = engine;
        recordBytes = engine.getSession().getPacketBufferSize();
        arrived = ByteBuffer.allocate(RECORDS * recordBytes).limit(0);
        content = ByteBuffer.allocate(engine.getSession().getApplicationBufferSize())
                .limit(0);
        leaving = ByteBuffer.allocate(RECORDS * recordBytes).limit(0);
    }

    /**
     * Agrees on keys, and verifies the other end's certificate. The one that connects does not learn here whether its own is
     * accepted, but when it reads.
     *
     * @throws TlsFailure if that is not possible; the other end is told
     */
    public void handshake(Deadline deadline) throws IOException {
        try {
            engine.beginHandshake();
            awaitHandshake(deadline);
        } catch (SSLException e) {
            tellFailure();
            throw TlsFailure.of(e);
        }
    }

    private void awaitHandshake(Deadline deadline) throws IOException {
        int bytes = 0;
        while (true) {
            switch (engine.getHandshakeStatus()) {
                case NEED_WRAP -> sendRecord();
                case NEED_TASK -> runTasks();
                case NEED_UNWRAP, NEED_UNWRAP_AGAIN -> {
                    Status status = engine.unwrap(arrived, content.clear()).getStatus();
                    content.limit(0);
                    if (status == Status.CLOSED) {
                        throw new EOFException("the connection was closed");
                    }
                    if (status == Status.BUFFER_UNDERFLOW) {
                        bytes += fill(deadline);
                    }
                    if (bytes > MAX_HANDSHAKE_BYTES) {
                        throw new SSLException("more than " + MAX_HANDSHAKE_BYTES + " bytes before a proof");
                    }
                }
                case FINISHED, NOT_HANDSHAKING -> {
                    return;
                }
            }
        }
    }

    /** The other end learns why, if it listens. */
    private void tellFailure() {
        try {
            engine.closeOutbound();
            while (!engine.isOutboundDone()) {
                sendRecord();
            }
        } catch (IOException e) {
            // It is gone, and needs no reason.
        }
    }

    private void sendRecord() throws IOException {
        engine.wrap(NOTHING, leaving.clear());
        leaving.flip();
        while (leaving.hasRemaining()) {
            socket().write(leaving);
        }
    }

    private void runTasks() {
        for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
            task.run();
        }
    }

    private int fill(Deadline deadline) throws IOException {
        arrived.compact();
        int n = readSome(blocking, 0, Math.min(blocking.length, arrived.remaining()), deadline);
        arrived.put(blocking, 0, n).flip();
        if (!heard && arrived.get(0) != HANDSHAKE && arrived.get(0) != ALERT) {
            throw TlsFailure.notTls(arrived.duplicate());
        }
        heard = true;
        return n;
    }

    @Override
    public ByteBuffer read(int bytes, Deadline deadline) throws IOException {
        ByteBuffer target = ByteBuffer.allocate(bytes);
        try {
            while (target.hasRemaining()) {
                if (!decrypt(target)) {
                    if (ended) {
                        throw new EOFException("the connection was closed");
                    }
                    fill(deadline);
                }
            }
        } catch (SSLException e) {
            throw TlsFailure.of(e);
        }
        return target.flip();
    }

    @Override
    public void send(ByteBuffer bytes) throws IOException {
        ByteBuffer[] sources = {bytes};
        while (bytes.hasRemaining() || !flush()) {
            write(sources, 0, 1);
        }
    }

    @Override
    public byte[] binding() {
        try {
            return ((ExtendedSSLSession) engine.getSession())
                    .exportKeyingMaterialData(BINDING, new byte[0], BINDING_BYTES);
        } catch (SSLException e) {
            throw new IllegalStateException("TLS 1.3 of this Java runtime exports no key material", e);
        }
    }

    @Override
    public boolean holdsInput() {
        if (content.hasRemaining()) {
            return true;
        }
        int at = arrived.position();
        return arrived.remaining() >= RECORD_HEADER_BYTES
                && arrived.remaining() >= RECORD_HEADER_BYTES + Short.toUnsignedInt(arrived.getShort(at + 3));
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
        int before = target.position();
        while (target.hasRemaining() && (decrypt(target) || fill())) {
            // until the target is full, or the socket empty
        }
        int n = target.position() - before;
        return n == 0 && ended && target.hasRemaining() ? -1 : n;
    }

    private boolean fill() throws IOException {
        if (ended) {
            return false;
        }
        arrived.compact();
        int n;
        try {
            n = socket().read(arrived);
        } finally {
            arrived.flip();
        }
        ended = n < 0;
        return n > 0;
    }

    /** {@return false if a whole record is needed first} Decrypts at most one. */
    private boolean decrypt(ByteBuffer target) throws IOException {
        if (content.hasRemaining()) {
            move(content, target);
            return true;
        }
        SSLEngineResult result = engine.unwrap(arrived, content.clear());
        content.flip();
        boolean task = result.getHandshakeStatus() == HandshakeStatus.NEED_TASK;
        if (task) {
            runTasks();
        }
        return switch (result.getStatus()) {
            case OK -> {
                if (result.bytesConsumed() == 0 && !task) {
                    throw new SSLException("no progress in " + result);
                }
                yield true;
            }
            case BUFFER_UNDERFLOW -> false;
            case CLOSED -> {
                ended = true;
                yield false;
            }
            case BUFFER_OVERFLOW -> throw new SSLException("a record of more than " + content.capacity() + " bytes");
        };
    }

    @Override
    public long write(ByteBuffer[] sources, int offset, int length) throws IOException {
        long written = 0;
        while (flush() && remaining(sources, offset, length)) {
            leaving.clear();
            while (leaving.remaining() >= 2 * recordBytes && remaining(sources, offset, length)) {
                plain.clear();
                for (int i = offset; i < offset + length; i++) {
                    move(sources[i], plain);
                }
                plain.flip();
                written += plain.remaining();
                encrypt();
            }
            leaving.flip();
        }
        return written;
    }

    /** Records of the engine's own, such as new keys, may come first: they are small, and there is room for two large ones. */
    private void encrypt() throws IOException {
        while (plain.hasRemaining()) {
            SSLEngineResult result = engine.wrap(plain, leaving);
            if (result.getStatus() != Status.OK) {
                throw new SSLException("cannot send: " + result);
            }
            runTasks();
        }
    }

    private static void move(ByteBuffer source, ByteBuffer target) {
        int n = Math.min(source.remaining(), target.remaining());
        target.put(source.slice(source.position(), n));
        source.position(source.position() + n);
    }

    private static boolean remaining(ByteBuffer[] sources, int offset, int length) {
        for (int i = offset; i < offset + length; i++) {
            if (sources[i].hasRemaining()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public boolean flush() throws IOException {
        while (leaving.hasRemaining()) {
            if (socket().write(leaving) == 0) {
                return false;
            }
        }
        return true;
    }

    @Override
    public void shutdownOutput() throws IOException {
        if (flush()) {
            engine.closeOutbound();
            engine.wrap(NOTHING, leaving.clear());
            leaving.flip();
            flush();
        }
        socket().shutdownOutput();
    }
}
