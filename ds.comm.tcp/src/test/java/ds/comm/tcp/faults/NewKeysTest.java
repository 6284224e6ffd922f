package ds.comm.tcp.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.comm.tcp.TestAuthority;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** TLS takes new keys after so many bytes, which is every 137 GB by default: here every MiB. */
class NewKeysTest {
    @TempDir
    private Path folder;

    @Test
    void keysChangeWhileRanksCompute() throws Exception {
        TestAuthority authority = new TestAuthority(folder.resolve("ours")).certify("rank", "EC", "-1d");
        Path limits = Files.writeString(
                folder.resolve("limits"),
                "jdk.tls.keyLimits=AES/GCM/NoPadding KeyUpdate 2^20, ChaCha20-Poly1305 KeyUpdate 2^20\n");
        int port;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
        Map<String, String> environment = Map.of(
                "JDK_JAVA_OPTIONS",
                "-Djava.security.properties=" + limits + " -Djavax.net.debug=ssl:handshake",
                "DS_TLS_CERTIFICATE",
                authority.file("rank.pem"),
                "DS_TLS_KEY",
                authority.file("rank.key"),
                "DS_TLS_CA",
                authority.file("ca.pem"));
        try (Job job = new Job(
                List.of(port, port),
                environment,
                Optional.empty(),
                "1500",
                "shared_memory=false",
                "timeout_seconds=20")) {
            job.begin(true);
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(180);
            for (Job.Rank rank : job.ranks()) {
                assertTrue(rank.awaitEnd(deadline), rank::said);
                assertEquals(0, rank.process().exitValue(), rank::said);
                assertTrue(rank.said().contains("done after"), rank::said);
                assertTrue(rank.said().contains("Produced KeyUpdate post-handshake message"), "no new keys");
            }
        }
    }
}
