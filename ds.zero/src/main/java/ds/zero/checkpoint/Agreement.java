package ds.zero.checkpoint;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * How ranks agree: short texts from each to all, bytes from each to rank 0, and work that has succeeded only if it has on all ranks.
 * Has a group and a stream of its own, so that it never mixes with training's collectives. One thread at a time.
 */
final class Agreement implements AutoCloseable {
    /** I32 elements of a text and its length: what a rank can tell all others at once. */
    private static final int TEXT_INTS = 512;

    private static final int TEXT_BYTES = (TEXT_INTS - 1) * Integer.BYTES;
    private static final int BLOCK_INTS = 1 << 14; // of what all ranks tell rank 0 at once
    private static final long LONGEST_POLL_MILLIS = 500;

    private final TensorBackend backend;
    private final Communicator group;
    private final Stream stream;
    private final Tensor own;
    private final Tensor all;
    private final Tensor block; // on rank 0, of all ranks
    private final Tensor part; // a rank's
    private final Buffer host;
    private volatile boolean cancelled;

    /** Splits a group off; all ranks call it. The backend is borrowed. */
    Agreement(TensorBackend backend, Communicator communicator) {
        this.backend = backend;
        this.group = communicator.split(0, communicator.rank());
        this.stream = backend.openStream();
        this.own = backend.allocate(DType.I32, Shape.of(TEXT_INTS), "checkpoint");
        this.all = backend.allocate(DType.I32, Shape.of((long) TEXT_INTS * group.worldSize()), "checkpoint");
        int partInts = partInts(group.worldSize());
        this.block = backend.allocate(DType.I32, Shape.of((long) partInts * group.worldSize()), "checkpoint");
        this.part = block.slice(0, partInts);
        this.host = backend.allocateHost(Math.max(all.byteSize(), block.byteSize()), "checkpoint");
    }

    /** {@return what one allocates among so many ranks} */
    static long memoryBytes(int worldSize) {
        long all = (long) TEXT_INTS * worldSize * Integer.BYTES;
        long block = (long) partInts(worldSize) * worldSize * Integer.BYTES;
        return TEXT_INTS * Integer.BYTES + all + block + Math.max(all, block);
    }

    private static int partInts(int worldSize) {
        return Math.max(1, BLOCK_INTS / worldSize);
    }

    int rank() {
        return group.rank();
    }

    int worldSize() {
        return group.worldSize();
    }

    boolean isFirst() {
        return group.rank() == 0;
    }

    /** {@return whether work under way has become pointless, since another rank has failed} */
    boolean cancelled() {
        return cancelled;
    }

    /** {@return the text of each rank, in the order of ranks} A text that is too long is cut. */
    List<String> gather(String label, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int length = Math.min(bytes.length, TEXT_BYTES);
        MemorySegment message = host.host().asSlice(0, own.byteSize());
        message.set(ValueLayout.JAVA_INT, 0, length);
        MemorySegment.copy(bytes, 0, message, ValueLayout.JAVA_BYTE, Integer.BYTES, length);
        backend.upload(message, own, stream);
        group.allGather(own, all, call(label)).await(stream);
        MemorySegment messages = host.host().asSlice(0, all.byteSize());
        backend.download(all, messages, stream);
        stream.synchronize();
        List<String> texts = new ArrayList<>();
        for (int rank = 0; rank < worldSize(); rank++) {
            MemorySegment one = messages.asSlice(rank * own.byteSize(), own.byteSize());
            byte[] content =
                    one.asSlice(Integer.BYTES, one.get(ValueLayout.JAVA_INT, 0)).toArray(ValueLayout.JAVA_BYTE);
            texts.add(new String(content, StandardCharsets.UTF_8));
        }
        return texts;
    }

    /** {@return on rank 0 what each rank has given, in the order of ranks; on the others nothing} All ranks call it. */
    List<byte[]> collect(String label, byte[] bytes) {
        List<Integer> lengths = gather(label, Integer.toString(bytes.length)).stream()
                .map(Integer::valueOf)
                .toList();
        List<byte[]> result = isFirst() ? lengths.stream().map(byte[]::new).toList() : List.of();
        int partBytes = Math.toIntExact(part.byteSize());
        for (int offset = 0; offset < Collections.max(lengths); offset += partBytes) {
            int length = Math.clamp(bytes.length - offset, 0, partBytes);
            MemorySegment told = host.host().asSlice(0, partBytes);
            MemorySegment.copy(bytes, Math.min(offset, bytes.length), told, ValueLayout.JAVA_BYTE, 0, length);
            backend.upload(told, part, stream);
            group.gather(part, isFirst() ? block : part, 0, call(label)).await(stream);
            if (isFirst()) {
                backend.download(block, host.host().asSlice(0, block.byteSize()), stream);
            }
            stream.synchronize();
            for (int rank = 0; rank < result.size(); rank++) {
                byte[] whole = result.get(rank);
                MemorySegment.copy(
                        host.host(),
                        ValueLayout.JAVA_BYTE,
                        (long) rank * partBytes,
                        whole,
                        Math.min(offset, whole.length),
                        Math.clamp(whole.length - offset, 0, partBytes));
            }
        }
        return result;
    }

    private Call call(String label) {
        return new Call("checkpoint: " + label, stream.record());
    }

    /**
     * Does work that may take long, in a thread of its own, while this one keeps in touch with the other ranks: none waits in a
     * collective for longer than a moment, however different their disks are.
     *
     * @param path what it is about, for messages
     * @return what the work returns, once it has succeeded on all ranks
     * @throws CheckpointException on all ranks, with every rank that failed and why
     */
    <T> T together(String label, Path path, Callable<T> work) {
        cancelled = false;
        FutureTask<T> task = new FutureTask<>(work);
        Thread thread =
                Thread.ofPlatform().daemon().name("checkpoint-" + group.rank()).start(task);
        try {
            List<String> states = rounds(label, task);
            if (states.stream().anyMatch(state -> state.startsWith(State.FAILED.mark))) {
                throw failure(label, path, states, cause(task));
            }
            return task.resultNow();
        } finally {
            cancelled = true; // for the way out by an exception: the work must not outlive the buffers it reads
            joinUninterruptibly(thread);
        }
    }

    /** What a rank says of its work. */
    private enum State {
        WORKING("w"),
        DONE("d"),
        FAILED("f");

        private final String mark;

        State(String mark) {
            this.mark = mark;
        }
    }

    private List<String> rounds(String label, FutureTask<?> task) {
        for (long poll = 1; ; poll = Math.min(LONGEST_POLL_MILLIS, 2 * poll)) {
            List<String> states = gather(label, state(task, poll));
            boolean failed = states.stream().anyMatch(state -> state.startsWith(State.FAILED.mark));
            cancelled = failed;
            if (failed || states.stream().allMatch(state -> state.equals(State.DONE.mark))) {
                return states;
            }
        }
    }

    private static String state(FutureTask<?> task, long pollMillis) {
        try {
            task.get(pollMillis, TimeUnit.MILLISECONDS);
            return State.DONE.mark;
        } catch (TimeoutException e) {
            return State.WORKING.mark;
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            boolean ours = cause.getClass().getModule() == Agreement.class.getModule();
            return State.FAILED.mark + (ours ? cause.getMessage() : cause.toString());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return State.FAILED.mark + "interrupted";
        }
    }

    private static Throwable cause(FutureTask<?> task) {
        return task.state() == FutureTask.State.FAILED
                ? task.exceptionNow()
                : new ExecutionException("elsewhere", null);
    }

    private static CheckpointException failure(String label, Path path, List<String> states, Throwable cause) {
        List<String> failures = new ArrayList<>();
        for (int rank = 0; rank < states.size(); rank++) {
            if (states.get(rank).startsWith(State.FAILED.mark)) {
                failures.add("rank " + rank + ": " + states.get(rank).substring(1));
            }
        }
        return new CheckpointException(path, label + " failed on " + String.join("; ", failures), cause);
    }

    private static void joinUninterruptibly(Thread thread) {
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true; // it ends at its next chunk
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Leaves the group. */
    @Override
    public void close() {
        group.close();
        own.buffer().close();
        all.buffer().close();
        block.buffer().close();
        host.close();
        stream.close();
    }
}
