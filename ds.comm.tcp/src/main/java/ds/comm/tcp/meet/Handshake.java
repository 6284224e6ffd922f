package ds.comm.tcp.meet;

import ds.api.comm.CommunicatorException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.security.SecureRandom;

/**
 * What two ranks say first; every message has a fixed size. The one that connects says HELLO with a nonce, the one that
 * listens answers WELCOME with its own nonce and its {@link Proof}, the first one sends its proof, and the second one a
 * verdict. Magic and version never change their places, so that versions can tell each other apart.
 *
 * <pre>
 * HELLO    magic 8, version 4, worldSize 4, rank 4, rank called 4, listenPort 4, has secret 4, nonce 32
 * WELCOME  magic 8, version 4, worldSize 4, rank 4, has secret 4, nonce 32, proof 32
 * PROOF    proof 32
 * VERDICT  code 4
 * </pre>
 */
final class Handshake {
    static final int VERSION = 2;

    private static final long MAGIC = 0x44535443502d2d31L; // "DSTCP--1"
    private static final int NONCE_BYTES = 32;
    private static final int HELLO_BYTES = 32 + NONCE_BYTES;
    private static final int WELCOME_BYTES = 24 + NONCE_BYTES;
    private static final String ACCEPTOR = "ds.comm.tcp acceptor";
    private static final String CONNECTOR = "ds.comm.tcp connector";
    private static final String UNPROVED = "failed authentication: do all ranks have the same DS_SECRET?";

    private final int rank;
    private final int worldSize;
    private final Proof proof;
    private final SecureRandom random = new SecureRandom();

    Handshake(int rank, int worldSize, Proof proof) {
        this.rank = rank;
        this.worldSize = worldSize;
        this.proof = proof;
    }

    /** What the one that listens decides. */
    enum Verdict {
        WELCOME(1),
        WRONG_SECRET(2),
        OTHER_WORLD_SIZE(3),
        WRONG_RANK(4),
        DUPLICATE_RANK(5);

        private final int code;

        Verdict(int code) {
            this.code = code;
        }

        static Verdict of(int code) {
            for (Verdict verdict : values()) {
                if (verdict.code == code) {
                    return verdict;
                }
            }
            return WRONG_SECRET;
        }
    }

    /** A connection that is not let in: by its own fault or that of a stranger, never by this rank's. */
    static final class Refused extends IOException {
        private static final long serialVersionUID = 1;

        Refused(String message) {
            super(message);
        }
    }

    /** Who connects, after it has proved to know the secret. */
    record Caller(int rank, int worldSize, int called, int listenPort) {}

    /**
     * Introduces this rank to a listening one.
     *
     * @param name of the listening rank, for messages
     * @throws IOException if the connection ends or times out: worth another try
     * @throws CommunicatorException if the other one answered and this rank does not belong to its job
     */
    void connect(SocketChannel channel, int called, int listenPort, String name, Deadline deadline) throws IOException {
        ByteBuffer hello = ByteBuffer.allocate(HELLO_BYTES);
        hello.putLong(MAGIC).putInt(VERSION).putInt(worldSize).putInt(rank).putInt(called);
        hello.putInt(listenPort).putInt(proof.secret() ? 1 : 0).put(nonce()).flip();
        write(channel, hello);
        ByteBuffer welcome = deadline.read(channel, WELCOME_BYTES);
        byte[] theirs = deadline.read(channel, Proof.BYTES).array();
        check(welcome, called, name);
        if (!Proof.same(proof.of(ACCEPTOR, hello, welcome), theirs)) {
            throw new CommunicatorException("rank " + rank + ": " + name + " does not know this job's secret: give all"
                    + " ranks the same DS_SECRET, and another MASTER_PORT if another job listens there");
        }
        write(channel, ByteBuffer.wrap(proof.of(CONNECTOR, hello, welcome)));
        obey(deadline.read(channel, Integer.BYTES).getInt(), name, welcome.getInt(12));
    }

    private void check(ByteBuffer welcome, int called, String name) {
        if (welcome.getLong(0) != MAGIC) {
            throw new CommunicatorException("rank " + rank + ": what listens at " + name
                    + " is not a rank of ds: choose another MASTER_PORT, or correct MASTER_ADDR");
        }
        if (welcome.getInt(8) != VERSION) {
            throw new CommunicatorException("rank " + rank + ": " + name + " speaks protocol version "
                    + welcome.getInt(8) + ", this rank " + VERSION + ": run the same release of ds on all ranks");
        }
        if (welcome.getInt(16) != called) {
            throw new CommunicatorException("rank " + rank + ": " + name + " says that it is rank " + welcome.getInt(16)
                    + ": another job uses this port; choose another MASTER_PORT");
        }
        if (welcome.getInt(20) == 1 != proof.secret()) {
            throw new CommunicatorException("rank " + rank + ": " + name + (proof.secret() ? " has no" : " has a")
                    + " secret and this rank has " + (proof.secret() ? "one" : "none")
                    + ": give all ranks the same DS_SECRET, or start them with `ds launch`");
        }
    }

    private void obey(int code, String name, int otherWorldSize) {
        Verdict verdict = Verdict.of(code);
        if (verdict == Verdict.WELCOME) {
            return;
        }
        throw new CommunicatorException("rank " + rank + ": " + name
                + switch (verdict) {
                    case DUPLICATE_RANK ->
                        " already has a rank " + rank + ": two processes were started with RANK = " + rank;
                    case WRONG_RANK -> " does not expect rank " + rank + ": RANK must be in 0.." + (worldSize - 1);
                    case OTHER_WORLD_SIZE ->
                        " has WORLD_SIZE = " + otherWorldSize + ", this rank " + worldSize
                                + ": start all ranks with the same WORLD_SIZE";
                    case WRONG_SECRET, WELCOME -> " does not accept this rank's secret";
                });
    }

    /**
     * Hears a caller. It proves that it knows the secret; whether it is one that is waited for is the {@link Doorkeeper}'s
     * question.
     *
     * @throws IOException if it is not let in
     */
    Caller accept(SocketChannel channel, Deadline deadline) throws IOException {
        ByteBuffer hello = deadline.read(channel, HELLO_BYTES);
        if (hello.getLong(0) != MAGIC) {
            throw new Refused("did not speak the protocol of ds");
        }
        ByteBuffer welcome = ByteBuffer.allocate(WELCOME_BYTES);
        welcome.putLong(MAGIC).putInt(VERSION).putInt(worldSize).putInt(rank);
        welcome.putInt(proof.secret() ? 1 : 0).put(nonce()).flip();
        byte[] mine = proof.of(ACCEPTOR, hello, welcome);
        write(
                channel,
                ByteBuffer.allocate(WELCOME_BYTES + Proof.BYTES)
                        .put(welcome.duplicate())
                        .put(mine)
                        .flip());
        if (hello.getInt(8) != VERSION) {
            throw new Refused("spoke protocol version " + hello.getInt(8) + ", not " + VERSION);
        }
        byte[] theirs;
        try {
            theirs = deadline.read(channel, Proof.BYTES).array();
        } catch (IOException e) {
            throw new Refused(UNPROVED);
        }
        if (!Proof.same(proof.of(CONNECTOR, hello, welcome), theirs)) {
            decide(channel, Verdict.WRONG_SECRET);
            throw new Refused(UNPROVED);
        }
        return new Caller(hello.getInt(16), hello.getInt(12), hello.getInt(20), hello.getInt(24));
    }

    void decide(SocketChannel channel, Verdict verdict) throws IOException {
        write(channel, ByteBuffer.allocate(Integer.BYTES).putInt(verdict.code).flip());
    }

    private byte[] nonce() {
        byte[] nonce = new byte[NONCE_BYTES];
        random.nextBytes(nonce);
        return nonce;
    }

    private static void write(SocketChannel channel, ByteBuffer data) throws IOException {
        while (data.hasRemaining()) {
            channel.write(data);
        }
    }
}
