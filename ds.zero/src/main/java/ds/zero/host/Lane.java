package ds.zero.host;

import ds.api.Buffer;
import ds.api.Event;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.comm.CommunicatorException;
import ds.api.comm.Work;
import ds.zero.host.Staging.Chunk;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;

/**
 * Operations one after the other, each chunk by chunk through two buffers: while one chunk travels, the next is fetched and the
 * last is put back.
 */
final class Lane implements AutoCloseable {
    private static final int BUFFERS = 2;

    private final Stream fetches;
    private final Stream puts;
    private final List<Buffer> buffers = new ArrayList<>();
    private final Event[] free = {Event.DONE, Event.DONE}; // of each buffer: what it held is back
    private final long bufferBytes;
    private final ExecutorService thread;
    private volatile CompletableFuture<Event> last = CompletableFuture.completedFuture(Event.DONE);

    /** Allocates the buffers, and opens two streams of the device. */
    Lane(Crossing crossing, long bufferBytes, String name) {
        this.bufferBytes = bufferBytes;
        this.fetches = crossing.device().openStream();
        this.puts = crossing.device().openStream();
        for (int i = 0; i < BUFFERS; i++) {
            buffers.add(crossing.allocate(bufferBytes));
        }
        this.thread = Executors.newSingleThreadExecutor(
                Thread.ofPlatform().daemon().name("ds-staging-" + name).factory());
    }

    /** An operation under way: known to be enqueued on the device, and then done with an event. */
    private record Staged(CompletableFuture<Event> enqueued) implements Work {
        @Override
        public void await() {
            result().synchronize();
        }

        @Override
        public void await(Stream stream) {
            stream.await(result());
        }

        private Event result() {
            try {
                return enqueued.join();
            } catch (CompletionException e) {
                if (e.getCause() instanceof CommunicatorException cause) {
                    throw new CommunicatorException(cause.getMessage(), cause);
                }
                throw e;
            }
        }
    }

    /** Runs an operation after those before it. */
    Work submit(Staging staging, Event after) {
        return submit(() -> run(staging, after));
    }

    /** Runs anything in the order of the operations; it returns the event with which it is done. */
    synchronized Work submit(Supplier<Event> operation) {
        try {
            last = CompletableFuture.supplyAsync(operation, thread);
        } catch (RejectedExecutionException e) {
            throw new CommunicatorException("an operation on a communicator that is closed", e);
        }
        return new Staged(last);
    }

    /** Waits until everything submitted has been through the inner communicator, or has failed. */
    void drain() {
        last.exceptionally(failure -> Event.DONE).join();
    }

    private Event run(Staging staging, Event after) {
        fetches.await(after);
        puts.await(after);
        long most = Math.max(
                1, bufferBytes / ((long) staging.width() * staging.dtype().byteSize()));
        int count = Math.toIntExact(Math.ceilDiv(staging.elements(), most));
        Event ready = fetch(staging, chunk(staging, 0, most), 0);
        for (int i = 0; i < count; i++) {
            Event own = ready;
            Chunk chunk = chunk(staging, i, most);
            Tensor buffer = buffer(staging, chunk, i);
            Work travelling = staging.inner().start(chunk, buffer, own);
            if (i + 1 < count) {
                ready = fetch(staging, chunk(staging, i + 1, most), i + 1);
            }
            travelling.await();
            staging.put().enqueue(chunk, buffer, puts);
            free[i % BUFFERS] = puts.record();
        }
        return puts.record();
    }

    private static Chunk chunk(Staging staging, int number, long most) {
        long first = number * most;
        long all = staging.elements();
        String whole = staging.dtype() + "[" + all * staging.width() + "]";
        return new Chunk(first, Math.min(most, all - first), all, whole);
    }

    private Tensor buffer(Staging staging, Chunk chunk, int number) {
        return new Tensor(buffers.get(number % BUFFERS), staging.dtype(), Shape.of(chunk.count() * staging.width()));
    }

    private Event fetch(Staging staging, Chunk chunk, int number) {
        Tensor buffer = buffer(staging, chunk, number);
        // What the buffer held last has to be back before it is overwritten, by the device or by the network.
        fetches.await(free[number % BUFFERS]);
        staging.fetch().enqueue(chunk, buffer, fetches);
        return fetches.record();
    }

    /** Waits for what is under way. */
    @Override
    public void close() {
        thread.close();
        fetches.synchronize();
        puts.synchronize();
        fetches.close();
        puts.close();
        buffers.forEach(Buffer::close);
    }
}
