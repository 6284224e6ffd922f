package ds.zero;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.tck.ReferenceBackend;
import ds.tck.comm.InProcessCommunicators;
import ds.zero.config.Known;
import ds.zero.config.ZeroConfig;
import ds.zero.run.StepResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Where the time of steps goes: as numbers of each step, and as a trace of all ranks. */
class TimelineTest {
    private static final int RANKS = 2;
    private static final int STEPS = 3;
    private static final int MICRO_BATCHES = 2;
    private static final int ROWS = 4;

    @TempDir
    private Path folder;

    private static ZeroConfig config(int stage, boolean overlap) {
        return ZeroConfig.parse("""
                        {"train_micro_batch_size_per_gpu": %d, "gradient_accumulation_steps": %d,
                         "zero_optimization": {"stage": %d, "overlap_comm": %b, "stage3_param_persistence_threshold": 0}}
                        """.formatted(ROWS, MICRO_BATCHES, stage, overlap), Known.ofWorld(RANKS))
                .value();
    }

    private Path trace(int stage, boolean overlap) throws Exception {
        Path file = folder.resolve("trace.json");
        InProcessCommunicators.run(RANKS, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), config(stage, overlap), backend, communicator)) {
                step(engine, backend); // before the start: not in the trace
                engine.startTimeline();
                for (int step = 0; step < STEPS; step++) {
                    step(engine, backend);
                }
                engine.writeTimeline(file);
            }
        });
        return file;
    }

    private static StepResult step(ZeroEngine engine, ReferenceBackend backend) {
        return engine.trainBatch(micro -> TinyModel.batch(backend, micro, (long) ROWS * engine.rank(), ROWS));
    }

    private static List<JsonNode> events(Path file, int rank, String kind) throws Exception {
        List<JsonNode> events = new ArrayList<>();
        for (JsonNode event :
                JsonMapper.shared().readTree(Files.readString(file)).get("traceEvents")) {
            if (event.get("pid").asInt() == rank
                    && event.get("ph").asString().equals("X")
                    && event.get("cat").asString().equals(kind)) {
                events.add(event);
            }
        }
        events.sort(Comparator.comparingDouble(TimelineTest::start));
        return events;
    }

    private static double start(JsonNode event) {
        return event.get("ts").asDouble();
    }

    private static double end(JsonNode event) {
        return start(event) + event.get("dur").asDouble();
    }

    @ParameterizedTest
    @CsvSource({"0, true", "1, true", "2, true", "3, true", "2, false", "3, false"})
    void everyPhaseAndLayerOfEveryRankIsInTheTrace(int stage, boolean overlap) throws Exception {
        Path file = trace(stage, overlap);
        long layers = TinyModel.build().layers().size();
        for (int rank = 0; rank < RANKS; rank++) {
            assertEquals(
                    STEPS * (2 * MICRO_BATCHES + 1), events(file, rank, "phase").size());
            assertEquals(
                    2 * STEPS * MICRO_BATCHES * layers,
                    events(file, rank, "layer").size());
            List<JsonNode> collectives = events(file, rank, "collective");
            long reduced = collectives.stream()
                    .filter(event -> event.get("name").asString().contains("gradients of "))
                    .count();
            assertEquals(3L * STEPS * (stage >= 2 ? MICRO_BATCHES : 1), reduced, "rank " + rank);
        }
    }

    @Test
    void aCollectiveIsAtOneTimeOnAllRanks() throws Exception {
        Path file = trace(2, true);
        List<JsonNode> first = events(file, 0, "collective");
        List<JsonNode> second = events(file, 1, "collective");
        assertEquals(first.size(), second.size());
        for (int i = 0; i < first.size(); i++) {
            assertEquals(first.get(i).get("name"), second.get(i).get("name"));
            // Ranks are threads of one clock: what differs is the error of finding that out, half of a message there
            // and back.
            // A clock that is taken for another begins with the machine: it is off by minutes.
            assertEquals(start(first.get(i)), start(second.get(i)), 10e6, "microseconds");
        }
    }

    @Test
    void aWaitLiesInAPhase() throws Exception {
        Path file = trace(3, true);
        List<JsonNode> phases = events(file, 1, "phase");
        for (JsonNode wait : events(file, 1, "wait")) {
            assertTrue(
                    phases.stream().anyMatch(phase -> start(phase) <= start(wait) && end(wait) <= end(phase)),
                    wait::toString);
        }
    }

    @ParameterizedTest
    @CsvSource({"1", "2", "3"})
    void theNumbersOfAStepAddUpToIt(int stage) throws Exception {
        ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
        boolean[] whole =
                new boolean[RANKS]; // a busy machine may stop a rank between two looks at the clock, not in all steps
        InProcessCommunicators.run(RANKS, communicator -> {
            try (ReferenceBackend backend = new ReferenceBackend();
                    ZeroEngine engine =
                            ZeroEngine.initialize(TinyModel.build(), config(stage, true), backend, communicator)) {
                for (int step = 0; step < 10; step++) {
                    long start = System.nanoTime();
                    StepResult.Timing timing = step(engine, backend).timing();
                    long nanos = System.nanoTime() - start;
                    whole[communicator.rank()] |= timing.totalNanos() >= nanos / 2;
                    if (timing.totalNanos() > nanos) {
                        wrong.add(timing + " in " + nanos);
                    }
                    if (timing.hiddenNanos() > timing.totalNanos()) {
                        wrong.add(timing.toString());
                    }
                }
            }
        });
        assertEquals(List.of(), List.copyOf(wrong));
        assertArrayEquals(new boolean[] {true, true}, whole);
    }
}
