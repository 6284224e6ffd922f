package ds.zero;

import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.checkpoint.Checkpointer;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What Flight Recorder sees of training: two ranks, three steps of two micro-batches, one checkpoint. */
class PhaseEventTest {
    private static final int RANKS = 2;
    private static final int STEPS = 3;
    private static final int MICRO_BATCHES = 2;
    private static final int ROWS = 4;

    @TempDir
    private Path folder;

    private void train(int stage) throws Exception {
        ZeroConfig config = ZeroConfig.parse("""
                        {"train_micro_batch_size_per_gpu": %d, "gradient_accumulation_steps": %d,
                         "zero_optimization": {"stage": %d, "stage3_param_persistence_threshold": 0}}
                        """.formatted(ROWS, MICRO_BATCHES, stage), Known.ofWorld(RANKS))
                .value();
        var settings = new Checkpointer.Settings(folder, 1, true, Checkpointer.OnFailure.FAIL);
        InProcessCommunicators.run(RANKS, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine = ZeroEngine.initialize(TinyModel.build(), config, backend, communicator);
                    TrainingCheckpoints checkpoints = engine.checkpoints(settings)) {
                for (int step = 0; step < STEPS; step++) {
                    long first = (long) ROWS * communicator.rank();
                    engine.trainBatch(micro -> TinyModel.batch(backend, micro, first, ROWS));
                }
                checkpoints.save(Map.of());
            }
        });
    }

    private List<RecordedEvent> recorded(int stage) throws Exception {
        Path file = folder.resolve("run.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("ds.Phase").withoutThreshold();
            recording.start();
            train(stage);
            recording.stop();
            recording.dump(file);
        }
        return RecordingFile.readAllEvents(file);
    }

    private static String phase(RecordedEvent event) {
        return event.getString("phase");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void everyPhaseOfEveryStepIsThere(int stage) throws Exception {
        Map<String, Long> counts =
                recorded(stage).stream().collect(groupingBy(PhaseEventTest::phase, TreeMap::new, counting()));
        Long waits = counts.remove("communication");
        assertEquals(
                Map.of(
                        "forward", (long) RANKS * STEPS * MICRO_BATCHES,
                        "backward", (long) RANKS * STEPS * MICRO_BATCHES,
                        "update", (long) RANKS * STEPS,
                        "checkpoint", (long) RANKS),
                counts);
        long units = TinyModel.build().layers().size();
        assertTrue(waits != null && waits >= RANKS * STEPS * units, waits + " waits for collectives");
    }

    @Test
    void aWaitForACollectiveLiesInsideAnotherPhase() throws Exception {
        List<RecordedEvent> events = recorded(3);
        List<RecordedEvent> phases = events.stream()
                .filter(event -> !phase(event).equals("communication"))
                .toList();
        for (RecordedEvent event : events) {
            if (phase(event).equals("communication")) {
                assertTrue(phases.stream().anyMatch(phase -> encloses(phase, event)), event::toString);
            }
        }
    }

    private static boolean encloses(RecordedEvent phase, RecordedEvent wait) {
        return phase.getThread().getJavaThreadId() == wait.getThread().getJavaThreadId()
                && !phase.getStartTime().isAfter(wait.getStartTime())
                && !phase.getEndTime().isBefore(wait.getEndTime());
    }
}
