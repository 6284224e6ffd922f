package it;

import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What users get wrong, and what disks and networks do: each ends in one message that says what, where and what to do. */
class FaultIT {
    private static final Path MODEL = Path.of("..", "ds.models.gpt", "src", "test", "resources", "gpt2-tiny")
            .toAbsolutePath()
            .normalize();

    @TempDir
    private Path folder;

    private TrainingFiles files;

    @BeforeEach
    void write() throws Exception {
        files = TrainingFiles.in(folder);
    }

    private DsProcess.Result train(Map<String, ?> changes) throws Exception {
        return DsProcess.run(folder, "train", "--config", files.config("config.json", changes), "--out", "run");
    }

    /** One rank of a job of two, as a cluster's own starter would start it. */
    private DsProcess rank(int rank, int port, String secret, String config) throws Exception {
        Map<String, String> environment = Map.of(
                "RANK",
                Integer.toString(rank),
                "WORLD_SIZE",
                "2",
                "MASTER_ADDR",
                "127.0.0.1",
                "MASTER_PORT",
                Integer.toString(port),
                "DS_SECRET",
                secret);
        return DsProcess.start(folder, environment, "train", "--config", config, "--out", "run");
    }

    @Test
    void ranksWithDifferentSecretsDoNotMeet() throws Exception {
        String config = files.config(
                "config.json", Map.of("ds", TrainingFiles.ds(8, Map.of("collective_timeout_seconds", 10))));
        int port = DsProcess.freePort();
        try (DsProcess one = rank(1, port, "the secret of rank one", config); // calls again until somebody listens
                DsProcess zero = rank(0, port, "another one of rank zero", config)) {
            one.await(DsProcess.PATIENCE).exits(1).says("rank 1: ", "does not know this job's secret", "DS_SECRET");
            zero.await(DsProcess.PATIENCE).exits(1).says("rank 0: ", "failed authentication", "DS_SECRET");
        }
    }

    @Test
    void aPortInUseIsNamed() throws Exception {
        try (var taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                DsProcess zero = rank(
                        0, taken.getLocalPort(), "a secret of some length", files.config("config.json", Map.of()))) {
            zero.await(DsProcess.PATIENCE)
                    .exits(1)
                    .says("rank 0: cannot listen on", ":" + taken.getLocalPort(), "MASTER_PORT");
        }
    }

    @Test
    void allErrorsOfAConfigurationAreToldAtOnceWithTheirPaths() throws Exception {
        Map<String, ?> wrong = Map.of(
                "train_batch_size", 13, // two accumulation steps
                "zero_optimisation", Map.of("stage", 1),
                "zero_optimization", Map.of("stage", 7),
                "bf16", Map.of("enabled", "perhaps"),
                "ds", TrainingFiles.ds(0, Map.of("data", Map.of("text", List.of("nowhere.txt")))));
        train(wrong)
                .exits(1)
                .says("6 problems in the configuration")
                .says("train_batch_size = 13: ", "use 12 or 14")
                .says("zero_optimisation", "unknown key; did you mean zero_optimization?")
                .says("zero_optimization.stage = 7: ")
                .says("bf16.enabled = \"perhaps\": ")
                .says("ds.train.steps = 0: ")
                .says("nowhere.txt");
    }

    @Test
    void unknownProvidersAreNamedBesideThoseThatAreThere() throws Exception {
        train(Map.of("ds", TrainingFiles.ds(8, Map.of("backend", "abacus"))))
                .exits(1)
                .says("abacus", "no such provider", "[cpu, cuda]");
        train(Map.of("ds", TrainingFiles.ds(8, Map.of("communicator", "pigeon"))))
                .exits(1)
                .says("pigeon", "no such provider", "[nccl, tcp]");
    }

    @Test
    void tokenFilesThatAreCorruptedOrTooRichAreRefused() throws Exception {
        DsProcess.run(folder, "prepare", "text", "--tokenizer", "byte", "--out", "tokens")
                .exits(0);
        Map<String, ?> data = Map.of("tokens", "tokens");
        Map<String, ?> small = Map.of("layers", 1, "channels", 16, "heads", 1, "positions", 32, "vocabulary", 200);
        train(Map.of("ds", TrainingFiles.ds(8, Map.of("data", data, "model", small))))
                .exits(1)
                .says("has 257 ids", "vocabulary only 200");

        Path file;
        try (var tokens = Files.list(folder.resolve("tokens"))) {
            file = tokens.filter(path -> path.getFileName().toString().startsWith("train"))
                    .findFirst()
                    .orElseThrow();
        }
        try (var random = new RandomAccessFile(file.toFile(), "rw")) {
            random.seek(random.length() - 1);
            int last = random.read();
            random.seek(random.length() - 1);
            random.write(last ^ 1);
        }
        train(Map.of("ds", TrainingFiles.ds(8, Map.of("data", data))))
                .exits(1)
                .says(file.getFileName().toString(), "corrupted", "prepare the text again");
    }

    @Test
    void aTruncatedModelIsRefused() throws Exception {
        Path model = Files.createDirectory(folder.resolve("model"));
        for (String name : List.of("config.json", "model.safetensors")) {
            Files.copy(MODEL.resolve(name), model.resolve(name));
        }
        Path weights = model.resolve("model.safetensors");
        try (FileChannel channel = FileChannel.open(weights, StandardOpenOption.WRITE)) {
            channel.truncate(Files.size(weights) - 100);
        }
        DsProcess.run(folder, "generate", "--model", "model", "--prompt", "x")
                .exits(1)
                .says("model.safetensors", "truncated");
    }
}
