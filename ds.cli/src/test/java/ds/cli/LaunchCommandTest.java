package ds.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.cli.job.JobPlan;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

class LaunchCommandTest {
    private final CapturedConsole captured = new CapturedConsole();

    private JobPlan plan(Map<String, String> environment, String... arguments) {
        return CommandLine.populateCommand(new LaunchCommand(captured.console(), environment), arguments)
                .plan();
    }

    private static String secret(JobPlan plan) {
        return plan.trust().secret().orElseThrow();
    }

    @Test
    void oneHostGetsFreePortAndFreshSecret() {
        JobPlan plan = plan(Map.of(), "--ranks", "3", "--", "info");
        assertEquals(3, plan.worldSize());
        assertEquals("127.0.0.1", plan.masterHost());
        assertEquals(64, secret(plan).length());
        assertNotEquals(secret(plan), secret(plan(Map.of(), "--ranks", "3", "--", "info")));
    }

    @Test
    void hostsShareWhatTheyAreGiven(@TempDir Path folder) throws Exception {
        Path key = Files.writeString(folder.resolve("key"), "0123456789abcdef\n");
        JobPlan plan = plan(
                Map.of("DS_SECRET", "not this one"),
                "--ranks=2",
                "--nnodes=3",
                "--node-rank=1",
                "--master-addr=host0",
                "--secret-file=" + key,
                "info");
        assertEquals(6, plan.worldSize());
        assertEquals(29500, plan.masterPort());
        assertEquals("0123456789abcdef", secret(plan));
    }

    @Test
    void hostsNeedAddressAndSecret() {
        var noAddress = assertThrows(ParameterException.class, () -> plan(Map.of(), "--ranks=2", "--nnodes=2", "info"));
        assertTrue(noAddress.getMessage().contains("--master-addr"), noAddress.getMessage());
        var noSecret = assertThrows(
                ParameterException.class,
                () -> plan(Map.of(), "--ranks=2", "--nnodes=2", "--master-addr=host0", "info"));
        assertTrue(noSecret.getMessage().contains("--secret-file"), noSecret.getMessage());
    }

    @Test
    void certificatesMayTakeThePlaceOfASecret() {
        JobPlan plan = plan(
                Map.of("DS_TLS_KEY", "inherited.key"),
                "--ranks=2",
                "--nnodes=2",
                "--master-addr=host0",
                "--tls-certificate=host0.pem",
                "--tls-ca=/ca.pem",
                "info");
        assertTrue(plan.trust().secret().isEmpty());
        assertEquals(
                Map.of(
                        "DS_TLS_CERTIFICATE",
                        Path.of("host0.pem").toAbsolutePath().toString(),
                        "DS_TLS_CA",
                        "/ca.pem"),
                plan.trust().tls());
    }

    @Test
    void numbersOutOfRangeAreUsageErrors() {
        assertEquals(2, captured.ds("launch", "--ranks", "0", "--", "info"));
        assertTrue(captured.err().contains("--ranks = 0: must be in 1..4096"), captured.err());
        assertEquals(
                2,
                captured.ds(
                        "launch",
                        "--ranks=1",
                        "--nnodes=2",
                        "--node-rank=2",
                        "--master-addr=x",
                        "--secret-file=/dev/null",
                        "info"));
        assertTrue(captured.err().contains("--node-rank = 2: must be in 0..1"), captured.err());
    }

    @Test
    void shortSecretIsFoundBeforeAnythingStarts(@TempDir Path folder) throws Exception {
        Path key = Files.writeString(folder.resolve("key"), "too short");
        assertEquals(2, captured.ds("launch", "--ranks=2", "--secret-file=" + key, "info"));
        assertTrue(captured.err().contains("the secret has 9 bytes"), captured.err());
    }

    @Test
    void unknownCommandIsFoundBeforeAnythingStarts() {
        assertEquals(2, captured.ds("launch", "--ranks", "2", "--", "trian"));
        assertTrue(captured.err().contains("trian: no such command"), captured.err());
    }
}
