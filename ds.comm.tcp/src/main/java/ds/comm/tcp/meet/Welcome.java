package ds.comm.tcp.meet;

import java.nio.ByteBuffer;

/**
 * What the one that listens answers, before its proof. {@value #BYTES} bytes:
 *
 * <pre>
 * magic 8, version 4, worldSize 4, rank 4, flags 4, nonce 32
 * </pre>
 *
 * @param flags of {@link Protocol}
 * @param bytes all of it, as proofs are about it
 */
record Welcome(long magic, int version, int worldSize, int rank, int flags, ByteBuffer bytes) {
    static final int BYTES = 24 + Protocol.NONCE_BYTES;

    static Welcome of(int worldSize, int rank, int flags, byte[] nonce) {
        ByteBuffer bytes = ByteBuffer.allocate(BYTES);
        bytes.putLong(Protocol.MAGIC).putInt(Protocol.VERSION).putInt(worldSize).putInt(rank);
        bytes.putInt(flags).put(nonce).flip();
        return read(bytes);
    }

    /** {@return what stands there} It may be anything. */
    static Welcome read(ByteBuffer bytes) {
        return new Welcome(
                bytes.getLong(0), bytes.getInt(8), bytes.getInt(12), bytes.getInt(16), bytes.getInt(20), bytes);
    }
}
