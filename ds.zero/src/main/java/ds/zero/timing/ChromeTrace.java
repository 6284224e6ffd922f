package ds.zero.timing;

import ds.api.DType;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.zero.timing.Timeline.Line;
import ds.zero.timing.Timeline.Span;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * The timelines of all ranks as one file in the format of chrome://tracing, which Perfetto reads too: a process for each rank, a
 * thread for what computes and one for what travels, times in microseconds of rank 0's clock.
 */
public final class ChromeTrace {
    private static final double MICRO = 1e-3;
    private static final Call CALL = Call.now("timelines of ranks");

    private final TensorBackend backend;
    private final Communicator communicator;

    /** Borrows both. */
    public ChromeTrace(TensorBackend backend, Communicator communicator) {
        this.backend = backend;
        this.communicator = communicator;
    }

    /**
     * Writes what all ranks have kept; all call it, rank 0 writes.
     *
     * @param file replaced
     */
    public void write(Timeline timeline, Path file) {
        long offset = RankClock.offsetNanos(backend, communicator);
        byte[] own = events(timeline, offset);
        int longest = (int) largest(own.length);
        long ints = Math.ceilDiv(longest, Integer.BYTES) + 1L;
        int ranks = communicator.worldSize();
        boolean first = communicator.rank() == 0;
        Tensor mine = backend.allocate(DType.I32, Shape.of(ints), "temporary");
        Tensor all = first ? backend.allocate(DType.I32, Shape.of(ints * ranks), "temporary") : mine;
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(all.byteSize(), Integer.BYTES);
            host.set(ValueLayout.JAVA_INT, 0, own.length);
            MemorySegment.copy(own, 0, host, ValueLayout.JAVA_BYTE, Integer.BYTES, own.length);
            backend.upload(host.asSlice(0, mine.byteSize()), mine, backend.computeStream());
            backend.computeStream().synchronize();
            communicator.gather(mine, all, 0, CALL).await();
            if (first) {
                backend.download(all, host, backend.computeStream());
                backend.computeStream().synchronize();
                write(host, ranks, file);
            }
        } finally {
            mine.buffer().close();
            if (first) {
                all.buffer().close();
            }
        }
    }

    private long largest(long value) {
        Tensor number = backend.allocate(DType.I32, Shape.of(1), "temporary");
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(ValueLayout.JAVA_INT);
            host.set(ValueLayout.JAVA_INT, 0, Math.toIntExact(value));
            backend.upload(host, number, backend.computeStream());
            backend.computeStream().synchronize();
            communicator.allReduce(number, ReduceOp.MAX, CALL).await();
            backend.download(number, host, backend.computeStream());
            backend.computeStream().synchronize();
            return host.get(ValueLayout.JAVA_INT, 0);
        } finally {
            number.buffer().close();
        }
    }

    private static void write(MemorySegment all, int ranks, Path file) {
        long each = all.byteSize() / ranks;
        try (OutputStream out = Files.newOutputStream(file)) {
            out.write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n".getBytes(StandardCharsets.UTF_8));
            for (int rank = 0; rank < ranks; rank++) {
                MemorySegment one = all.asSlice(rank * each, each);
                out.write(rank == 0 ? new byte[0] : new byte[] {',', '\n'});
                out.write(one.asSlice(Integer.BYTES, one.get(ValueLayout.JAVA_INT, 0))
                        .toArray(ValueLayout.JAVA_BYTE));
            }
            out.write("\n]}\n".getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": the timeline cannot be written", e);
        }
    }

    /** {@return this rank's events, one a line, separated by commas} */
    private byte[] events(Timeline timeline, long offset) {
        List<String> lines = new ArrayList<>();
        String cut = timeline.dropped() == 0 ? "" : ", without its last " + timeline.dropped() + " spans";
        lines.add(metadata("process_name", 0, "rank " + communicator.rank() + cut));
        for (Line line : Line.values()) {
            lines.add(metadata("thread_name", line.thread(), line.name().toLowerCase(Locale.ROOT)));
        }
        timeline.spans().forEach(span -> lines.add(event(span, offset)));
        return String.join(",\n", lines).getBytes(StandardCharsets.UTF_8);
    }

    private String metadata(String kind, int thread, String name) {
        ObjectNode node = node(kind, "M", thread);
        node.putObject("args").put("name", name);
        return node.toString();
    }

    private String event(Span span, long offset) {
        ObjectNode node = node(span.name(), "X", span.line().thread());
        node.put("cat", span.kind());
        node.put("ts", (span.startNanos() + offset) * MICRO);
        node.put("dur", (span.endNanos() - span.startNanos()) * MICRO);
        if (span.line() == Line.COMMUNICATION) {
            node.putObject("args")
                    .put("bytes", span.bytes())
                    .put("queued_us", (span.startNanos() - span.askedNanos()) * MICRO);
        }
        return node.toString();
    }

    private ObjectNode node(String name, String kind, int thread) {
        return JsonMapper.shared()
                .createObjectNode()
                .put("name", name)
                .put("ph", kind)
                .put("pid", communicator.rank())
                .put("tid", thread);
    }
}
