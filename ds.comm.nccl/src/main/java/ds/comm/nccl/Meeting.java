package ds.comm.nccl;

import ds.api.comm.CommunicatorException;
import ds.api.comm.Rendezvous;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NoRouteToHostException;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * How ranks find each other: rank 0 listens at the master's address and tells every other rank NCCL's id; the connections stay, for {@link
 * Control}. Both sides prove by HMAC-SHA-256 over what was said that they know the secret, before anything else is read; all messages have
 * a fixed size. Nothing but loopback is listened on without a secret. What is said is not encrypted, as what NCCL sends is not.
 */
final class Meeting {
    private static final long MAGIC = 0x64732d6e63636c31L; // ds-nccl1
    private static final int PROOF_BYTES = 32;
    private static final int NONCE_BYTES = 16;
    private static final int ID_BYTES = 128;
    private static final int STRANGER_MILLIS = 5000; // for who connects to say who it is
    private static final int AGAIN_MILLIS = 100;

    private final Rendezvous rendezvous;
    private final long deadlineNanos;
    private final Duration timeout;
    private final SecureRandom random = new SecureRandom();

    Meeting(Rendezvous rendezvous, Duration timeout) {
        this.rendezvous = rendezvous;
        this.timeout = timeout;
        this.deadlineNanos = System.nanoTime() + timeout.toNanos();
    }

    /** What every rank has afterwards: the id, and its connections by rank: rank 0 to all others, these to rank 0. */
    static final class Met {
        private final byte[] id;
        private final Map<Integer, Socket> connections;

        private Met(byte[] id, Map<Integer, Socket> connections) {
            this.id = id;
            this.connections = connections;
        }

        byte[] id() {
            return id;
        }

        Map<Integer, Socket> connections() {
            return connections;
        }
    }

    /**
     * Meets the others.
     *
     * @param id made by rank 0 alone
     * @throws CommunicatorException if not all ranks come within the deadline, or one does not belong to the job
     */
    Met join(Supplier<byte[]> id) {
        try {
            if (rendezvous.rank() > 0) {
                return call();
            }
            byte[] made = id.get();
            return new Met(made, rendezvous.worldSize() == 1 ? Map.of() : listen(made));
        } catch (IOException e) {
            throw new CommunicatorException(
                    "rank " + rendezvous.rank() + ": meeting at " + rendezvous.masterHost() + ":"
                            + rendezvous.masterPort() + ": " + e,
                    e);
        }
    }

    private Map<Integer, Socket> listen(byte[] id) throws IOException {
        InetAddress address = InetAddress.getByName(rendezvous.masterHost());
        if (rendezvous.secret().isEmpty() && !address.isLoopbackAddress()) {
            throw new CommunicatorException("rank 0: will not listen on " + address
                    + " without a secret; set DS_SECRET to the same at least 16 characters for all ranks");
        }
        Map<Integer, Socket> joined = new TreeMap<>();
        try (ServerSocket server = new ServerSocket()) {
            server.setReuseAddress(true);
            server.bind(new InetSocketAddress(address, rendezvous.masterPort()));
            while (joined.size() < rendezvous.worldSize() - 1) {
                server.setSoTimeout(remainingMillis(joined));
                Socket socket;
                try {
                    socket = server.accept();
                } catch (SocketTimeoutException e) {
                    throw late(joined);
                }
                welcome(socket, id, joined);
            }
        } catch (IOException | RuntimeException e) {
            for (Socket socket : joined.values()) {
                socket.close();
            }
            throw e;
        }
        return joined;
    }

    /** Admits one that belongs to the job; whoever does not is shut out, and the job goes on waiting. */
    private void welcome(Socket socket, byte[] id, Map<Integer, Socket> joined) throws IOException {
        try {
            socket.setSoTimeout(STRANGER_MILLIS);
            socket.setTcpNoDelay(true);
            DataInputStream in = new DataInputStream(socket.getInputStream());
            DataOutputStream out = new DataOutputStream(socket.getOutputStream());
            byte[] hello = in.readNBytes(Long.BYTES + 2 * Integer.BYTES + NONCE_BYTES);
            byte[] nonce = nonce();
            out.write(nonce);
            out.write(proof("listener", hello, nonce, new byte[0]));
            byte[] proved = in.readNBytes(PROOF_BYTES);
            if (!MessageDigest.isEqual(proof("caller", hello, nonce, new byte[0]), proved)) {
                socket.close();
                return;
            }
            java.nio.ByteBuffer said = java.nio.ByteBuffer.wrap(hello);
            boolean known = said.getLong() == MAGIC;
            int worldSize = said.getInt();
            int rank = said.getInt();
            if (!known
                    || worldSize != rendezvous.worldSize()
                    || rank < 1
                    || rank >= worldSize
                    || joined.containsKey(rank)) {
                throw new CommunicatorException("rank 0: a process says that it is rank " + rank + " of " + worldSize
                        + ", where " + joined.keySet() + " of " + rendezvous.worldSize()
                        + " have joined; give every process of the job its own RANK and the same WORLD_SIZE");
            }
            out.write(id);
            out.write(proof("id", hello, nonce, id));
            socket.setSoTimeout(0);
            joined.put(rank, socket);
        } catch (IOException stranger) { // said nothing in time, or has hung up
            socket.close();
        }
    }

    private Met call() throws IOException {
        while (true) {
            Socket socket = new Socket();
            try {
                socket.connect(
                        new InetSocketAddress(rendezvous.masterHost(), rendezvous.masterPort()),
                        remainingMillis(Map.of()));
                socket.setTcpNoDelay(true);
                socket.setSoTimeout(remainingMillis(Map.of()));
                byte[] id = introduce(socket);
                socket.setSoTimeout(0);
                return new Met(id, Map.of(0, socket));
            } catch (ConnectException | NoRouteToHostException | SocketTimeoutException notYet) {
                socket.close();
                pause();
            } catch (IOException | RuntimeException e) {
                socket.close();
                throw e;
            }
        }
    }

    private byte[] introduce(Socket socket) throws IOException {
        byte[] hello = java.nio.ByteBuffer.allocate(Long.BYTES + 2 * Integer.BYTES + NONCE_BYTES)
                .putLong(MAGIC)
                .putInt(rendezvous.worldSize())
                .putInt(rendezvous.rank())
                .put(nonce())
                .array();
        DataOutputStream out = new DataOutputStream(socket.getOutputStream());
        DataInputStream in = new DataInputStream(socket.getInputStream());
        out.write(hello);
        byte[] nonce = in.readNBytes(NONCE_BYTES);
        requireProof("listener", hello, nonce, new byte[0], in.readNBytes(PROOF_BYTES));
        out.write(proof("caller", hello, nonce, new byte[0]));
        byte[] id = in.readNBytes(ID_BYTES);
        requireProof("id", hello, nonce, id, in.readNBytes(PROOF_BYTES));
        return id;
    }

    private void requireProof(String role, byte[] hello, byte[] nonce, byte[] id, byte[] proved) {
        if (!MessageDigest.isEqual(proof(role, hello, nonce, id), proved)) {
            throw new CommunicatorException(
                    "rank " + rendezvous.rank() + ": who listens at " + rendezvous.masterHost()
                            + ":" + rendezvous.masterPort()
                            + " is not rank 0 of this job, or has refused it: do all ranks have the same DS_SECRET and WORLD_SIZE?");
        }
    }

    private byte[] proof(String role, byte[] hello, byte[] nonce, byte[] id) {
        try {
            byte[] secret = rendezvous.secret().map(ds.api.comm.Secret::bytes).orElseGet(() -> new byte[PROOF_BYTES]);
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret, "HmacSHA256"));
            mac.update(("ds.comm.nccl " + role).getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            mac.update(hello);
            mac.update(nonce);
            mac.update(id);
            return mac.doFinal();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("HmacSHA256 is missing from this Java runtime", e);
        }
    }

    private byte[] nonce() {
        byte[] nonce = new byte[NONCE_BYTES];
        random.nextBytes(nonce);
        return nonce;
    }

    private int remainingMillis(Map<Integer, Socket> joined) {
        long millis = (deadlineNanos - System.nanoTime()) / 1_000_000;
        if (millis <= 0) {
            throw late(joined);
        }
        return (int) Math.min(millis, Integer.MAX_VALUE);
    }

    private CommunicatorException late(Map<Integer, Socket> joined) {
        String who = rendezvous.rank() == 0
                ? "only ranks " + joined.keySet() + " of " + rendezvous.worldSize() + " have joined"
                : "rank 0 has not answered";
        return new CommunicatorException(
                "rank " + rendezvous.rank() + ": " + who + " at " + rendezvous.masterHost() + ":"
                        + rendezvous.masterPort() + " within " + timeout.toSeconds()
                        + " s; are all processes started, and does nothing block that port?");
    }

    private void pause() {
        remainingMillis(Map.of());
        try {
            Thread.sleep(AGAIN_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommunicatorException("rank " + rendezvous.rank() + ": interrupted while it met the others", e);
        }
    }
}
