package ds.comm.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.ReduceOp;
import ds.api.comm.Work;
import ds.tck.comm.HostTensors;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** When operations are under way: in a Flight Recorder file, and as their callers are told. */
class CollectiveEventTest {
    private static final int RANKS = 2;

    @TempDir
    private Path folder;

    @Test
    void everyOperationOfEveryRankIsRecorded() throws Exception {
        Path file = folder.resolve("run.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("ds.Collective").withoutThreshold();
            recording.start();
            Loopback.run(RANKS, Map.of(), comm -> {
                try (HostTensors memory = new HostTensors()) {
                    Tensor data = memory.zeros(DType.F32, 100_000);
                    comm.allReduce(data, ReduceOp.SUM, Call.now("large")).await();
                    comm.broadcast(data.slice(0, 10), 0, Call.now("small")).await();
                }
            });
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        for (String call : List.of("allReduce large 400000", "broadcast small 40")) {
            long count = events.stream()
                    .filter(event -> call.equals(event.getString("operation") + " " + event.getString("label") + " "
                            + event.getLong("bytes")))
                    .filter(event -> !event.getDuration("queued").isNegative())
                    .count();
            assertEquals(RANKS, count, call);
        }
    }

    @Test
    void bytesCannotMoveBeforeTheLastRankHasCome() throws Exception {
        AtomicLong lastCame = new AtomicLong();
        Loopback.run(RANKS, Map.of(), comm -> {
            try (HostTensors memory = new HostTensors()) {
                Tensor data = memory.zeros(DType.F32, 100_000);
                if (comm.rank() == 1) {
                    Thread.sleep(20);
                    lastCame.set(System.nanoTime());
                }
                Work work = comm.allReduce(data, ReduceOp.SUM, Call.now("late"));
                work.await();
                long now = System.nanoTime();
                assertTrue(work.startedNanos().getAsLong() - lastCame.get() >= 0);
                assertTrue(work.doneNanos().getAsLong() - work.startedNanos().getAsLong() >= 0);
                assertTrue(now - work.doneNanos().getAsLong() >= 0);
            }
        });
    }
}
