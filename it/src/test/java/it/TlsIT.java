package it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A job of two hosts, which are two {@code ds launch} on this one, with certificates that the JDK's keytool makes. */
class TlsIT {
    private static final int STEPS = 4;
    private static final String PASSWORD = "a password of tests";

    @TempDir
    private Path folder;

    private TrainingFiles files;
    private int port;

    @BeforeEach
    void prepare() throws Exception {
        files = TrainingFiles.in(folder);
        Map<String, ?> changes =
                Map.of("communicator_options", Map.of("shared_memory", false), "collective_timeout_seconds", 20);
        files.config("train.json", Map.of("ds", TrainingFiles.ds(STEPS, changes)));
        Files.writeString(folder.resolve("password"), PASSWORD + "\n");
    }

    private void keytool(String... arguments) throws Exception {
        List<String> line = new ArrayList<>();
        line.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
        line.addAll(List.of(arguments));
        line.addAll(List.of("-storepass", PASSWORD, "-noprompt"));
        Process process = new ProcessBuilder(line)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), said);
    }

    /** Makes an authority, and for each name a key store with a key that it certifies, and the authority itself. */
    private void authority(String authority, String... names) throws Exception {
        String all = authority + "-all.p12";
        String certificate = authority + ".pem";
        key(all, authority, "-ext", "bc:c");
        keytool("-exportcert", "-rfc", "-alias", authority, "-file", certificate, "-keystore", all);
        for (String name : names) {
            key(all, name, "-signer", authority);
            keytool(
                    "-importkeystore",
                    "-srckeystore",
                    all,
                    "-srcstorepass",
                    PASSWORD,
                    "-srcalias",
                    name,
                    "-destkeystore",
                    name + ".p12",
                    "-deststorepass",
                    PASSWORD);
            keytool("-importcert", "-alias", authority, "-file", certificate, "-keystore", name + ".p12");
        }
    }

    private void key(String store, String name, String... more) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("-genkeypair", "-alias", name, "-keyalg", "EC"));
        arguments.addAll(List.of("-dname", "CN=" + name, "-keystore", store));
        arguments.addAll(List.of(more));
        keytool(arguments.toArray(String[]::new));
    }

    private DsProcess node(int node, String out, String... trust) throws IOException {
        List<String> line = new ArrayList<>(List.of("launch", "--ranks", "1", "--threads", "1", "--nnodes", "2"));
        line.addAll(List.of("--node-rank", Integer.toString(node), "--master-addr", "127.0.0.1"));
        line.addAll(List.of("--master-port", Integer.toString(port)));
        line.addAll(List.of(trust));
        line.addAll(List.of("--", "train", "--config", "train.json", "--out", out));
        return DsProcess.start(folder, Map.of(), line.toArray(String[]::new));
    }

    private static String[] certificate(String name) {
        return new String[] {"--tls-keystore", name + ".p12", "--tls-password-file", "password"};
    }

    @Test
    void hostsWithCertificatesTrainWhatRanksInClearDo() throws Exception {
        authority("ours", "host0", "host1");
        DsProcess.run(folder, "launch --ranks 2 --threads 1 -- train --config train.json --out clear".split(" ", -1))
                .exits(0);
        port = DsProcess.freePort();
        try (DsProcess zero = node(0, "hidden", certificate("host0"));
                DsProcess one = node(1, "hidden", certificate("host1"))) {
            zero.await(DsProcess.PATIENCE).exits(0).says("run folder: hidden");
            one.await(DsProcess.PATIENCE).exits(0);
        }
        List<String> expected = files.losses("clear");
        assertEquals(STEPS + 1, expected.size(), "of each step, and of the evaluation after the last");
        assertEquals(expected, files.losses("hidden"));
    }

    @Test
    void aHostOfAnotherAuthorityIsNamedByBoth() throws Exception {
        authority("ours", "host0");
        authority("theirs", "stranger");
        keytool("-importcert", "-alias", "ours", "-file", "ours.pem", "-keystore", "stranger.p12");
        port = DsProcess.freePort();
        try (DsProcess zero = node(0, "refused", certificate("host0"));
                DsProcess one = node(1, "refused", certificate("stranger"))) {
            DsProcess.Result refused = one.await(DsProcess.PATIENCE).says("does not accept this rank's certificate");
            assertNotEquals(0, refused.exitCode(), refused::toString);
            DsProcess.Result waited = zero.await(DsProcess.PATIENCE)
                    .says("ranks [1] of 2 have not arrived", "CN=stranger, issued by CN=theirs");
            assertNotEquals(0, waited.exitCode(), waited::toString);
        }
    }
}
