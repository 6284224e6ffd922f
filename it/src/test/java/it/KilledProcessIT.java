package it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code kill -9} in the middle of training: the rest ends in time, says why, and leaves nothing running. */
class KilledProcessIT {
    private static final int RANKS = 3;

    /** What the requirement grants. */
    private static final Duration LOST_RANK = Duration.ofSeconds(15);

    @TempDir
    private Path folder;

    private String config;

    @BeforeEach
    void configure() throws Exception {
        config = TrainingFiles.in(folder).config("endless.json", Map.of("ds", TrainingFiles.ds(1_000_000, Map.of())));
    }

    private DsProcess training() throws Exception {
        DsProcess launcher = DsProcess.start(
                folder,
                Map.of(),
                "launch",
                "--ranks",
                Integer.toString(RANKS),
                "--",
                "train",
                "--config",
                config,
                "--out",
                "run");
        boolean running = false;
        try {
            launcher.awaitLine(line -> line.startsWith("step 4: validation loss"));
            running = true;
            return launcher;
        } finally {
            if (!running) {
                launcher.close();
            }
        }
    }

    @Test
    void theOthersNameTheLostRankAndTheCollectiveAndEnd() throws Exception {
        try (DsProcess launcher = training()) {
            List<ProcessHandle> ranks = launcher.ranks();
            assertEquals(RANKS, ranks.size());
            ranks.getLast().destroyForcibly();
            DsProcess.Result result = launcher.await(LOST_RANK).exits(128 + 9);
            DsProcess.awaitEnd(ranks, Duration.ofSeconds(5));
            result.says("ds launch: rank 2 failed first, with exit code 137 (SIGKILL)");
            // Whichever of the two noticed first told the other.
            assertSays(result, "(?m)^ds: .*(allReduce|reduceScatter|allGather|barrier).*lost rank 2 ");
            assertSays(result, "(?m)^\\[rank 1\\] ds: .*(allReduce|reduceScatter|allGather|barrier).*lost rank 2 ");
        }
    }

    private static void assertSays(DsProcess.Result result, String pattern) {
        Assertions.assertTrue(Pattern.compile(pattern).matcher(result.err()).find(), () -> pattern + "\n" + result);
    }

    @Test
    void ranksWhoseLauncherIsKilledEndByThemselves() throws Exception {
        try (DsProcess launcher = training()) {
            List<ProcessHandle> ranks = launcher.ranks();
            assertEquals(RANKS, ranks.size());
            launcher.kill();
            DsProcess.awaitEnd(ranks, LOST_RANK);
        }
    }
}
