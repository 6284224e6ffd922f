package ds.comm.tcp.meet;

import ds.api.comm.CommunicatorException;
import ds.comm.tcp.tls.Tls;
import ds.comm.tcp.wire.Deadline;
import ds.comm.tcp.wire.PlainWire;
import ds.comm.tcp.wire.TlsFailure;
import ds.comm.tcp.wire.TlsWire;
import ds.comm.tcp.wire.Wire;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.security.SecureRandom;
import java.util.Optional;

/**
 * What two ranks say first; every message has a fixed size. The one that connects says {@link Hello} with a nonce, the one that
 * listens answers {@link Welcome} with its own nonce and its {@link Proof}, the first one sends its proof, and the second one a
 * verdict of 4 bytes. Where the job has TLS all of this is within it, and the proofs are about that very connection.
 */
final class Handshake {
    private static final String ACCEPTOR = "ds.comm.tcp acceptor";
    private static final String CONNECTOR = "ds.comm.tcp connector";
    private static final String UNPROVED = "failed authentication: do all ranks have the same DS_SECRET?";

    private final int rank;
    private final int worldSize;
    private final Proof proof;
    private final Optional<Tls> tls;
    private final int flags;
    private final SecureRandom random = new SecureRandom();

    Handshake(int rank, int worldSize, Proof proof, Optional<Tls> tls) {
        this.rank = rank;
        this.worldSize = worldSize;
        this.proof = proof;
        this.tls = tls;
        flags = (proof.secret() ? Protocol.SECRET : 0) | (tls.isPresent() ? Protocol.ENCRYPTED : 0);
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

    /** Who connects, after it has proved to know the secret; and by what it is heard. */
    record Caller(int rank, int worldSize, int called, int listenPort, Wire wire) {}

    /**
     * Introduces this rank to a listening one.
     *
     * @param channel blocking; closed by the caller if this throws
     * @param name of the listening rank, for messages
     * @return what the two go on to talk through
     * @throws IOException if the connection ends or times out: worth another try
     * @throws CommunicatorException if the other one answered and this rank does not belong to its job
     */
    Wire connect(SocketChannel channel, int called, int listenPort, String name, Deadline deadline) throws IOException {
        try {
            Wire wire = open(channel, true, deadline);
            Hello hello = Hello.of(worldSize, rank, called, listenPort, flags, nonce());
            wire.send(hello.bytes().duplicate());
            Welcome welcome = Welcome.read(wire.read(Welcome.BYTES, deadline));
            check(welcome, called, name);
            byte[] theirs = wire.read(Proof.BYTES, deadline).array();
            if (!Proof.same(proof.of(ACCEPTOR, wire.binding(), hello.bytes(), welcome.bytes()), theirs)) {
                throw new CommunicatorException(who() + name + " does not know this job's secret: give all"
                        + " ranks the same DS_SECRET, and another MASTER_PORT if another job listens there");
            }
            wire.send(ByteBuffer.wrap(proof.of(CONNECTOR, wire.binding(), hello.bytes(), welcome.bytes())));
            obey(wire.read(Integer.BYTES, deadline).getInt(), name, welcome.worldSize());
            return wire;
        } catch (TlsFailure e) {
            throw new CommunicatorException(who() + name + explain(e), e);
        }
    }

    private Wire open(SocketChannel channel, boolean connects, Deadline deadline) throws IOException {
        if (tls.isEmpty()) {
            return new PlainWire(channel);
        }
        TlsWire wire = new TlsWire(channel, tls.get().engine(connects));
        wire.handshake(deadline);
        return wire;
    }

    private String who() {
        return "rank " + rank + ": ";
    }

    private static String explain(TlsFailure e) {
        if (!e.plain().hasRemaining()) {
            return " " + e.getMessage()
                    + ": all ranks need certificates by the authorities that the others' tls_ca names";
        }
        return Protocol.isPlain(e.plain())
                ? " does not use TLS and this rank does: configure it for all ranks, or for none"
                : " is not a rank of ds that uses TLS: choose another MASTER_PORT, or correct MASTER_ADDR";
    }

    private void check(Welcome welcome, int called, String name) {
        if (welcome.magic() != Protocol.MAGIC) {
            throw new CommunicatorException(who() + "what listens at " + name
                    + " is not a rank of ds: choose another MASTER_PORT, or correct MASTER_ADDR");
        }
        if (welcome.version() != Protocol.VERSION) {
            throw new CommunicatorException(who() + name + " speaks protocol version " + welcome.version()
                    + ", this rank " + Protocol.VERSION + ": run the same release of ds on all ranks");
        }
        if ((welcome.flags() & Protocol.ENCRYPTED) != (flags & Protocol.ENCRYPTED)) {
            throw new CommunicatorException(who() + name
                    + " uses TLS and this rank does not: set tls_certificate, tls_key and tls_ca, or tls_keystore, for"
                    + " all ranks, or for none");
        }
        if (welcome.rank() != called) {
            throw new CommunicatorException(who() + name + " says that it is rank " + welcome.rank()
                    + ": another job uses this port; choose another MASTER_PORT");
        }
        if ((welcome.flags() & Protocol.SECRET) != (flags & Protocol.SECRET)) {
            throw new CommunicatorException(who() + name + (proof.secret() ? " has no" : " has a")
                    + " secret and this rank has " + (proof.secret() ? "one" : "none")
                    + ": give all ranks the same DS_SECRET, or start them with `ds launch`");
        }
    }

    private void obey(int code, String name, int otherWorldSize) {
        Verdict verdict = Verdict.of(code);
        if (verdict == Verdict.WELCOME) {
            return;
        }
        throw new CommunicatorException(who()
                + name
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
        try {
            Wire wire = open(channel, false, deadline);
            return hear(wire, wire.read(Hello.BYTES, deadline), deadline);
        } catch (TlsFailure e) {
            if (Protocol.isPlain(e.plain())) {
                tellProtection(channel);
                throw new Refused(Protocol.NO_TLS, e);
            }
            throw new Refused(e.plain().hasRemaining() ? "did not speak TLS" : e.getMessage(), e);
        }
    }

    private Caller hear(Wire wire, ByteBuffer said, Deadline deadline) throws IOException {
        if (Protocol.isTls(said)) {
            tellProtection(wire.socket());
        }
        Hearing hearing = new Hearing(Hello.read(said), wire.binding());
        wire.send(hearing.answer());
        hearing.checkVersion();
        byte[] theirs;
        try {
            theirs = wire.read(Proof.BYTES, deadline).array();
        } catch (IOException e) {
            throw new Refused(UNPROVED, e);
        }
        if (!hearing.proved(theirs)) {
            decide(wire, Verdict.WRONG_SECRET);
            throw new Refused(UNPROVED);
        }
        Hello hello = hearing.hello;
        return new Caller(hello.rank(), hello.worldSize(), hello.called(), hello.listenPort(), wire);
    }

    /** What this rank makes of what a stranger says; no bytes move here. */
    final class Hearing {
        private final Hello hello;
        private final byte[] binding;
        private final Welcome welcome;

        /**
         * Takes what was said first.
         *
         * @param binding of the connection
         */
        Hearing(Hello hello, byte[] binding) {
            this.hello = hello;
            this.binding = binding;
            welcome = Welcome.of(worldSize, rank, flags, nonce());
        }

        /** {@return the welcome and this rank's proof} */
        ByteBuffer answer() {
            return ByteBuffer.allocate(Welcome.BYTES + Proof.BYTES)
                    .put(welcome.bytes().duplicate())
                    .put(proof.of(ACCEPTOR, binding, hello.bytes(), welcome.bytes()))
                    .flip();
        }

        void checkVersion() throws Refused {
            if (hello.version() != Protocol.VERSION) {
                throw new Refused("spoke protocol version " + hello.version() + ", not " + Protocol.VERSION);
            }
        }

        /** {@return whether this is the proof of one that knows the secret} */
        boolean proved(byte[] theirs) {
            return Proof.same(proof.of(CONNECTOR, binding, hello.bytes(), welcome.bytes()), theirs);
        }
    }

    /** Tells a rank in clear text whether TLS is used here: it cannot understand more, and this proves nothing. */
    private void tellProtection(SocketChannel channel) throws IOException {
        new PlainWire(channel).send(Welcome.of(worldSize, rank, flags, nonce()).bytes());
    }

    void decide(Wire wire, Verdict verdict) throws IOException {
        wire.send(ByteBuffer.allocate(Integer.BYTES).putInt(verdict.code).flip());
    }

    private byte[] nonce() {
        byte[] nonce = new byte[Protocol.NONCE_BYTES];
        random.nextBytes(nonce);
        return nonce;
    }
}
