package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.api.comm.Rendezvous;
import ds.api.comm.Secret;
import ds.api.spi.ProviderException;
import ds.tck.comm.HostTensors;
import ds.tck.comm.RankThreads;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.ValueLayout;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who gets in with which certificate, and who is told what. */
@Timeout(60)
class TlsTest {
    @TempDir
    private static Path folder;

    private static TestAuthority ours;
    private static TestAuthority theirs;

    @BeforeAll
    static void certify() throws Exception {
        ours = new TestAuthority(folder.resolve("ours"))
                .certify("rank", "EC", "-1d")
                .certify("another", "RSA", "-1d")
                .certify("edwards", "Ed25519", "-1d")
                .certify("expired", "EC", "-9d");
        theirs = new TestAuthority(folder.resolve("theirs")).certify("stranger", "EC", "-1d");
    }

    private static Rendezvous place(int rank, int worldSize, int port, Secret secret) {
        return new Rendezvous(rank, worldSize, rank, "127.0.0.1", port, Optional.ofNullable(secret));
    }

    private static Map<String, ?> with(Map<String, ?> tls, String key, Object value) {
        Map<String, Object> options = new HashMap<>(tls);
        options.put(key, value);
        return options;
    }

    /** Why a rank does not get in, in another thread: rank 0 waits for as long as a slow machine takes for the first handshake. */
    private static CompletableFuture<String> refusal(Rendezvous rendezvous, Map<String, ?> tls) {
        return CompletableFuture.supplyAsync(
                () -> assertThrows(
                                CommunicatorException.class,
                                () -> Loopback.open(rendezvous, with(tls, "timeout_seconds", 5))
                                        .close())
                        .getMessage(),
                Loopback.THREADS);
    }

    private static void assertNames(String message, String... words) {
        for (String word : words) {
            assertTrue(message.contains(word), "no '" + word + "' in: " + message);
        }
    }

    /** Certificates of three kinds of keys, from files of two kinds; with and without a secret, and shared memory. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void ranksOfOneAuthorityMeetAndSum(boolean shared) throws Exception {
        List<Map<String, ?>> identities = List.of(
                with(ours.pem("rank"), "shared_memory", shared),
                with(ours.keystore("another"), "shared_memory", shared),
                with(
                        with(ours.pem("edwards"), "tls_key", ours.file("edwards.encrypted.key")),
                        "tls_password_file",
                        ours.file("password")));
        int port = Loopback.freePort();
        Secret secret = shared ? Loopback.SECRET : null;
        int elements = 300_000;
        RankThreads.run(3, rank -> Loopback.open(place(rank, 3, port, secret), identities.get(rank)), comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.I32, elements);
                for (int i = 0; i < elements; i++) {
                    data.host().setAtIndex(ValueLayout.JAVA_INT, i, i * (comm.rank() + 1));
                }
                comm.allReduce(data, ReduceOp.SUM, Call.now("sum")).await();
                for (int i = 0; i < elements; i++) {
                    assertEquals(6 * i, data.host().getAtIndex(ValueLayout.JAVA_INT, i));
                }
            }
        });
    }

    @Test
    void anotherAuthorityIsNamedByBothSides() throws Exception {
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET), ours.pem("rank"));
        var one = refusal(place(1, 2, port, Loopback.SECRET), theirs.pem("stranger", ours));
        assertNames(
                zero.get(),
                "ranks [1] of 2 have not arrived",
                "has shown a certificate that is not valid here: CN=stranger, issued by CN=theirs",
                "tls_ca");
        assertNames(
                one.get(), "rank 1: rank 0 (127.0.0.1:" + port + ") does not accept this rank's certificate", "tls_ca");
    }

    @Test
    void whoTrustsAnotherAuthorityDoesNotTrustRankZero() throws Exception {
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET), ours.pem("rank"));
        var one = refusal(place(1, 2, port, Loopback.SECRET), ours.pem("another", theirs));
        assertNames(
                one.get(),
                "rank 0 (127.0.0.1:" + port
                        + ") has shown a certificate that is not valid here: CN=rank, issued by CN=ours");
        assertNames(zero.get(), "does not accept this rank's certificate");
    }

    @Test
    void anExpiredCertificateIsNamedByWhoHasIt() {
        ProviderException e =
                assertThrows(ProviderException.class, () -> Loopback.open(Rendezvous.alone(), ours.pem("expired")));
        assertNames(e.getMessage(), ours.file("expired.pem"), "CN=expired", "valid from", "not now");
    }

    @Test
    void anExpiredCertificateIsNamedByWhoIsShownIt() throws Exception {
        SSLContext context = context(ours.keys("expired"), ours.keys("rank"));
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET), ours.pem("rank"));
        call(port, zero, context, "TLSv1.3");
        assertNames(zero.get(), "1 connection has shown a certificate that expired on", "CN=expired");
    }

    @Test
    void anExpiredCertificateOfRankZeroIsNamed() throws Exception {
        SSLContext context = context(ours.keys("expired"), ours.keys("rank"));
        try (ServerSocket listening =
                context.getServerSocketFactory().createServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            ((SSLServerSocket) listening).setNeedClientAuth(true);
            var one = refusal(place(1, 2, listening.getLocalPort(), Loopback.SECRET), ours.pem("rank"));
            try (Socket caller = listening.accept()) {
                assertThrows(IOException.class, () -> caller.getInputStream().read());
            }
            assertNames(one.get(), "rank 0 (127.0.0.1", "certificate that expired on", "CN=expired");
        }
    }

    @Test
    void aMissingCertificateIsNamed() throws Exception {
        SSLContext context = context(null, ours.keys("rank"));
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET), ours.pem("rank"));
        call(port, zero, context, "TLSv1.3");
        assertNames(zero.get(), "1 connection has shown no certificate");
    }

    @Test
    void olderVersionsAreNotSpoken() throws Exception {
        SSLContext context = context(ours.keys("another"), ours.keys("rank"));
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET), ours.pem("rank"));
        call(port, zero, context, "TLSv1.2");
        assertNames(zero.get(), "1 connection failed in TLS");
    }

    private static SSLContext context(KeyStore own, KeyStore trusted) throws Exception {
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(own, TestAuthority.PASSWORD.toCharArray());
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    /** Somebody with TLS of the JDK's own, who is not let in. */
    private static void call(int port, Future<?> listener, SSLContext context, String version) throws Exception {
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket();
        try (socket) {
            socket.setEnabledProtocols(new String[] {version});
            connect(socket, port, listener);
            assertThrows(IOException.class, () -> {
                socket.startHandshake();
                socket.getOutputStream().write(new byte[64]);
                if (socket.getInputStream().read() < 0) {
                    throw new IOException("closed");
                }
            });
        }
    }

    /** Connects as soon as somebody listens: a socket that was refused once cannot try again. */
    private static void connect(Socket socket, int port, Future<?> listener) throws IOException {
        Loopback.connect(port, listener).close();
        socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    }

    @Test
    void plainRanksAndEncryptedOnesTellEachOther() throws Exception {
        int port = Loopback.freePort();
        var encrypted = refusal(place(0, 2, port, Loopback.SECRET), ours.pem("rank"));
        var plain = refusal(place(1, 2, port, Loopback.SECRET), Map.of());
        assertNames(plain.get(), "rank 0 (127.0.0.1:" + port + ") uses TLS and this rank does not", "tls_certificate");
        assertNames(encrypted.get(), "1 connection did not use TLS, which is configured here");
        int other = Loopback.freePort();
        plain = refusal(place(0, 2, other, Loopback.SECRET), Map.of());
        encrypted = refusal(place(1, 2, other, Loopback.SECRET), ours.pem("rank"));
        assertNames(encrypted.get(), "rank 0 (127.0.0.1:" + other + ") does not use TLS and this rank does");
        assertNames(plain.get(), "1 connection used TLS, which is not configured here");
    }

    @Test
    void theSecretIsProvedWithinTls() throws Exception {
        int port = Loopback.freePort();
        var zero = refusal(place(0, 2, port, Loopback.SECRET), ours.pem("rank"));
        var one = refusal(place(1, 2, port, Secret.of("another secret of 16 bytes or more")), ours.pem("another"));
        assertNames(one.get(), "does not know this job's secret");
        assertNames(zero.get(), "1 connection failed authentication");
    }

    /** It has a certificate and not the secret; what the two ranks prove is about connections to it, not to each other. */
    @Test
    void whoPassesOnProofsIsNotLetIn() throws Exception {
        int port = Loopback.freePort();
        SSLContext context = context(ours.keys("another"), ours.keys("another"));
        try (ServerSocket listening =
                context.getServerSocketFactory().createServerSocket(0, 5, InetAddress.getLoopbackAddress())) {
            var zero = refusal(place(0, 2, port, Loopback.SECRET), ours.pem("rank"));
            var one = refusal(place(1, 2, listening.getLocalPort(), Loopback.SECRET), ours.pem("edwards"));
            SSLSocket onward = (SSLSocket) context.getSocketFactory().createSocket();
            try (Socket caller = listening.accept();
                    onward) {
                connect(onward, port, zero);
                byte[] hello = new DataInputStream(caller.getInputStream()).readNBytes(64);
                onward.getOutputStream().write(hello);
                byte[] answer = new DataInputStream(onward.getInputStream()).readNBytes(56 + 32);
                assertEquals(88, answer.length, "rank 0 has proved itself to the one between");
                caller.getOutputStream().write(answer);
                assertEquals(0, read(caller.getInputStream(), 32), "rank 1 proves nothing to who cannot prove itself");
            }
            assertNames(one.get(), "does not know this job's secret");
            assertNames(zero.get(), "ranks [1] of 2 have not arrived");
        }
    }

    private static int read(InputStream in, int bytes) {
        try {
            return in.readNBytes(bytes).length;
        } catch (IOException e) {
            return 0;
        }
    }

    @Test
    void wrongFilesAreNamed() {
        Map<String, String> pem = ours.pem("rank");
        Map<String, String> store = ours.keystore("rank");
        assertRejected(with(pem, "tls_key", ours.file("nowhere")), "tls_key = " + ours.file("nowhere"), "no such file");
        assertRejected(with(pem, "tls_key", ours.file("expired.key")), "the private key is not that of CN=rank");
        assertRejected(with(pem, "tls_key", ours.file("another.key")), "another.key", "no EC key");
        assertRejected(
                with(pem, "tls_key", ours.file("rank.pem")), "no PRIVATE KEY, but [CERTIFICATE]", "openssl pkcs8");
        assertRejected(with(pem, "tls_key", ours.file("rank.encrypted.key")), "encrypted", "DS_TLS_PASSWORD");
        assertRejected(with(pem, "tls_ca", ours.file("rank.key")), "tls_ca = ", "no CERTIFICATE");
        assertRejected(with(pem, "tls_keystore", ours.file("rank.p12")), "the first two, or only the third");
        assertRejected(Map.of("tls_ca", ours.file("ca.pem")), "needs this rank's certificate too");
        assertRejected(Map.of("tls_keystore", ours.file("rank.p12")), "needs a password", "DS_TLS_PASSWORD");
        assertRejected(with(store, "tls_password_file", ours.file("ca.pem")), "the password right?");
        assertRejected(with(store, "tls_password", TestAuthority.PASSWORD), "unknown option");
        Map<String, String> noAuthority = new HashMap<>(pem);
        noAuthority.remove("tls_ca");
        assertRejected(noAuthority, "tls_ca is not set");
    }

    private static void assertRejected(Map<String, ?> options, String... words) {
        ProviderException e = assertThrows(ProviderException.class, () -> Loopback.open(Rendezvous.alone(), options));
        assertNames(e.getMessage(), words);
    }

    @Test
    void noPasswordIsInAMessage() {
        ProviderException e = assertThrows(
                ProviderException.class,
                () -> Loopback.open(
                        Rendezvous.alone(),
                        Map.of("tls_keystore", theirs.file("ca.pem"), "tls_password_file", ours.file("password"))));
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            assertFalse(String.valueOf(cause.getMessage()).contains(TestAuthority.PASSWORD), e::getMessage);
        }
    }

    @AfterEach
    void nothingIsLeftRunning() {
        Loopback.assertNoThreads();
    }
}
