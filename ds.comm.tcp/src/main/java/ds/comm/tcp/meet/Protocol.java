package ds.comm.tcp.meet;

import java.nio.ByteBuffer;

/** What all versions of the handshake have in common: magic and version never change their places. */
final class Protocol {
    static final long MAGIC = 0x44535443502d2d31L; // "DSTCP--1"
    static final int VERSION = 3;
    static final int NONCE_BYTES = 32;

    /** The job has a secret. */
    static final int SECRET = 1;
    /** The job's connections are encrypted. */
    static final int ENCRYPTED = 2;

    static final String USES_TLS = "used TLS, which is not configured here";
    static final String NO_TLS = "did not use TLS, which is configured here";

    private static final int TLS_HANDSHAKE = 22;
    private static final int TLS_MAJOR = 3;

    private Protocol() {}

    /** {@return whether these are the first bytes of somebody who speaks TLS} */
    static boolean isTls(ByteBuffer first) {
        return first.remaining() >= 2
                && first.get(first.position()) == TLS_HANDSHAKE
                && first.get(first.position() + 1) == TLS_MAJOR;
    }

    /** {@return whether these are the first bytes of a rank, in clear text} */
    static boolean isPlain(ByteBuffer first) {
        return first.remaining() >= Long.BYTES && first.getLong(first.position()) == MAGIC;
    }
}
