package ds.comm.tcp.meet;

import java.nio.ByteBuffer;

/**
 * What the one that connects says first. {@value #BYTES} bytes:
 *
 * <pre>
 * magic 8, version 4, worldSize 4, rank 4, rank called 4, listenPort 4, flags 4, nonce 32
 * </pre>
 *
 * @param flags of {@link Protocol}
 * @param bytes all of it, as proofs are about it
 */
record Hello(int version, int worldSize, int rank, int called, int listenPort, int flags, ByteBuffer bytes) {
    static final int BYTES = 32 + Protocol.NONCE_BYTES;

    static Hello of(int worldSize, int rank, int called, int listenPort, int flags, byte[] nonce) {
        ByteBuffer bytes = ByteBuffer.allocate(BYTES);
        bytes.putLong(Protocol.MAGIC).putInt(Protocol.VERSION).putInt(worldSize).putInt(rank);
        bytes.putInt(called).putInt(listenPort).putInt(flags).put(nonce).flip();
        return new Hello(Protocol.VERSION, worldSize, rank, called, listenPort, flags, bytes);
    }

    /**
     * Reads what a stranger says. The numbers may be anything.
     *
     * @param bytes {@value #BYTES} of them
     * @throws Refused if it is of another protocol
     */
    static Hello read(ByteBuffer bytes) throws Refused {
        if (Protocol.isTls(bytes)) {
            throw new Refused(Protocol.USES_TLS);
        }
        if (bytes.getLong(0) != Protocol.MAGIC) {
            throw new Refused("did not speak the protocol of ds");
        }
        return new Hello(
                bytes.getInt(8),
                bytes.getInt(12),
                bytes.getInt(16),
                bytes.getInt(20),
                bytes.getInt(24),
                bytes.getInt(28),
                bytes);
    }
}
