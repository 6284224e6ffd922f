package it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The resume law with real processes: killed at any instant, or asked to stop, the same command ends with the same numbers. */
class ResumeIT {
    private static final int STEPS = 600;

    /** How often a run is killed: {@code -Dit.kills=100} for a long drill. */
    private static final int KILLS = Integer.getInteger("it.kills", 2);

    private static final long SEED = Long.getLong("it.seed", 2026);

    @TempDir
    private Path folder;

    private TrainingFiles files;
    private String config;

    @BeforeEach
    void configure() throws Exception {
        Map<String, Object> ds = new TreeMap<>(TrainingFiles.ds(
                STEPS,
                Map.of(
                        "checkpoint",
                        Map.of("every", 3),
                        "train",
                        Map.of("steps", STEPS, "evaluate_every", 50, "sample_tokens", 0))));
        files = TrainingFiles.in(folder);
        config = files.config("resumed.json", Map.of("ds", ds));
        DsProcess.run(folder, command("whole")).exits(0);
    }

    private String[] command(String out) {
        return new String[] {"launch", "--ranks", "2", "--", "train", "--config", config, "--out", out};
    }

    private void assertSameAsWhole(String out) throws Exception {
        assertEquals(files.losses("whole"), files.losses(out));
        assertArrayEquals(
                Files.readAllBytes(folder.resolve("whole/model/model.safetensors")),
                Files.readAllBytes(folder.resolve(out).resolve("model/model.safetensors")));
        DsProcess.run(folder, "checkpoint", "verify", out).exits(0).says("step-00000" + STEPS + ": intact");
    }

    /**
     * Instants are counted in steps and milliseconds from the checkpoint that a start finds, not from the start alone: on a busy
     * machine no start would come as far as its first save. A start makes up to twelve steps, with four saves.
     */
    @Test
    void aRunKilledAtAnyInstantEndsWithTheSameNumbers() throws Exception {
        Random random = new Random(SEED);
        int resumed = 0;
        for (int kill = 1; kill <= KILLS; kill++) {
            long before = savedStep();
            long until = before + random.nextInt(13);
            int millis = random.nextInt(100);
            try (DsProcess job = DsProcess.start(folder, Map.of(), command("killed"))) {
                job.awaitLine(line -> line.startsWith("data: ")); // training begins
                awaitStep(until);
                Thread.sleep(millis);
                List<ProcessHandle> ranks = job.ranks();
                assertEquals(2, ranks.size(), "kill " + kill + " came after the end");
                ranks.forEach(ProcessHandle::destroyForcibly);
                job.kill();
                DsProcess.awaitEnd(ranks, Duration.ofSeconds(15));
            }
            resumed += before > 0 ? 1 : 0;
            System.out.printf(
                    "kill %d: from checkpoint %d, %d ms after step %d; checkpoint %d is left; seed %d%n",
                    kill, before, millis, until, savedStep(), SEED);
        }
        assertTrue(savedStep() > 0, "no start has come as far as a checkpoint");
        DsProcess.run(folder, command("killed")).exits(0).says("resume: after step ");
        assertSameAsWhole("killed");
        System.out.println(KILLS + " kills, of which " + resumed + " of a run that had resumed");
    }

    /** {@return the step of the latest complete checkpoint; 0 if there is none} */
    private long savedStep() throws Exception {
        Path checkpoints = folder.resolve("killed/checkpoints");
        if (!Files.exists(checkpoints)) {
            return 0;
        }
        try (Stream<Path> tags = Files.list(checkpoints)) {
            return tags.map(tag -> tag.getFileName().toString())
                    .filter(tag -> tag.startsWith("step-"))
                    .mapToLong(tag -> Long.parseLong(tag.substring("step-".length())))
                    .max()
                    .orElse(0);
        }
    }

    /** Waits until the run has written the numbers of that step. */
    private void awaitStep(long step) throws Exception {
        Path metrics = folder.resolve("killed/metrics.jsonl");
        long deadline = System.nanoTime() + DsProcess.PATIENCE.toNanos();
        while (step > 0 && !(Files.exists(metrics) && Files.readString(metrics).contains("\"step\":" + step + ","))) {
            assertTrue(System.nanoTime() < deadline, () -> "no step " + step + " within " + DsProcess.PATIENCE);
            Thread.sleep(1);
        }
    }

    @Test
    void aRunThatIsAskedToStopSavesAndGoesOn() throws Exception {
        try (DsProcess job = DsProcess.start(folder, Map.of(), command("stopped"))) {
            job.awaitLine(line -> line.startsWith("step 50: validation loss"));
            job.terminate();
            job.await(Duration.ofSeconds(60)).exits(0).says("stopped after step ", "the same command goes on");
        }
        DsProcess.run(folder, command("stopped")).exits(0).says("resume: after step ");
        assertSameAsWhole("stopped");
    }

    @Test
    void oneRankThatIsAskedStopsAll() throws Exception {
        try (DsProcess job = DsProcess.start(folder, Map.of(), command("stopped"))) {
            job.awaitLine(line -> line.startsWith("step 50: validation loss"));
            List<ProcessHandle> ranks = job.ranks();
            assertTrue(ranks.getLast().destroy());
            job.await(Duration.ofSeconds(60)).exits(0).says("stopped after step ");
        }
    }
}
