package ds.zero.host;

import ds.api.Device;
import ds.api.Event;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import ds.api.comm.Work;
import ds.zero.host.Staging.Chunk;
import ds.zero.host.Staging.Copy;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntUnaryOperator;
import java.util.function.Supplier;

/**
 * A communicator for tensors of a device around one that reaches the host's memory alone, or for tensors of the host around one
 * that reaches a device's alone. Operands go through two buffers of the memory that is reached, chunk by chunk; what is reached
 * without, goes directly. All ranks of a group stage alike, since they send the same chunks.
 */
public final class StagedCommunicator implements Communicator {
    /** Of each of a lane's two buffers: large enough that copies and networks deliver what they can. */
    private static final long BUFFER_BYTES = 8 << 20;

    private final Communicator inner;
    private final boolean ownsInner;
    private final Crossing crossing;
    private final Device staged;
    private final long bufferBytes;
    // What one rank sends another waits neither for collectives nor for what comes the other way.
    private final Map<Integer, Lane> collectives = new ConcurrentHashMap<>(1); // one, made when it is needed
    private final Map<Integer, Lane> sends = new ConcurrentHashMap<>();
    private final Map<Integer, Lane> receives = new ConcurrentHashMap<>();
    private final Object issuing = new Object();
    private final LongAdder extraChunks = new LongAdder();
    private volatile boolean closed;

    private StagedCommunicator(Crossing crossing, Communicator inner, boolean ownsInner, long bufferBytes) {
        this.inner = inner;
        this.ownsInner = ownsInner;
        this.crossing = crossing;
        this.staged = crossing.toHost() ? crossing.device().device() : Device.HOST;
        this.bufferBytes = bufferBytes;
    }

    /**
     * {@return a communicator that accepts tensors of a device, and of the host as ever}
     *
     * @param device with memory of its own; borrowed
     * @param inner that accepts the host's memory; borrowed
     */
    public static StagedCommunicator forDevice(TensorBackend device, Communicator inner) {
        return forDevice(device, inner, BUFFER_BYTES);
    }

    static StagedCommunicator forDevice(TensorBackend device, Communicator inner, long bufferBytes) {
        return new StagedCommunicator(new Crossing(device, true), inner, false, bufferBytes);
    }

    /**
     * {@return a communicator that accepts tensors of the host, and of a device as ever}
     *
     * @param device with memory of its own, through which it goes; borrowed
     * @param inner that accepts the device's memory; borrowed
     */
    public static StagedCommunicator forHost(TensorBackend device, Communicator inner) {
        return forHost(device, inner, BUFFER_BYTES);
    }

    static StagedCommunicator forHost(TensorBackend device, Communicator inner, long bufferBytes) {
        return new StagedCommunicator(new Crossing(device, false), inner, false, bufferBytes);
    }

    @Override
    public int rank() {
        return inner.rank();
    }

    @Override
    public int worldSize() {
        return inner.worldSize();
    }

    @Override
    public boolean accepts(Device device) {
        return device.equals(staged) || inner.accepts(device);
    }

    private boolean isStaged(Tensor tensor) {
        return !inner.accepts(tensor.buffer().device());
    }

    @Override
    public Work allReduce(Tensor data, ReduceOp op, Call call) {
        requireOpen("allReduce", call);
        if (!isStaged(data)) {
            return directly(() -> inner.allReduce(data, op, call));
        }
        return collective(
                new Staging(
                        data.dtype(),
                        data.elements(),
                        1,
                        in(data),
                        (chunk, buffer, ready) ->
                                issue(chunk, () -> inner.allReduce(buffer, op, part(call, chunk, ready))),
                        out(data)),
                call);
    }

    private Copy in(Tensor data) {
        return (chunk, buffer, stream) -> crossing.fetch(chunk.of(data, 0), buffer, stream);
    }

    private Copy out(Tensor data) {
        return (chunk, buffer, stream) -> crossing.put(buffer, chunk.of(data, 0), stream);
    }

    private static Call part(Call call, Chunk chunk, Event ready) {
        return new Call(chunk.label(call.label()), ready, call.urgent());
    }

    @Override
    public Work reduceScatter(Tensor input, Tensor output, ReduceOp op, Call call) {
        requireOpen("reduceScatter", call);
        if (!isStaged(input) && !isStaged(output)) {
            return directly(() -> inner.reduceScatter(input, output, op, call));
        }
        requireShards("reduceScatter", input, output, call);
        Copy put = (chunk, buffer, stream) -> crossing.put(chunk.in(buffer, rank()), chunk.of(output, 0), stream);
        return collective(
                new Staging(
                        input.dtype(),
                        output.elements(),
                        worldSize(),
                        inOfShards(input),
                        (chunk, buffer, ready) -> issue(
                                chunk,
                                () -> inner.reduceScatter(
                                        buffer, chunk.in(buffer, rank()), op, part(call, chunk, ready))),
                        put),
                call);
    }

    @Override
    public Work allGather(Tensor input, Tensor output, Call call) {
        requireOpen("allGather", call);
        if (!isStaged(input) && !isStaged(output)) {
            return directly(() -> inner.allGather(input, output, call));
        }
        requireShards("allGather", output, input, call);
        return collective(
                new Staging(
                        input.dtype(),
                        input.elements(),
                        worldSize(),
                        inOwnShard(input),
                        (chunk, buffer, ready) -> issue(
                                chunk,
                                () -> inner.allGather(chunk.in(buffer, rank()), buffer, part(call, chunk, ready))),
                        outOfShards(output, 0)),
                call);
    }

    @Override
    public Work reduce(Tensor data, ReduceOp op, int root, Call call) {
        requireOpen("reduce", call);
        if (!isStaged(data)) {
            return directly(() -> inner.reduce(data, op, root, call));
        }
        requireRank("reduce", "root", root, call);
        return collective(
                new Staging(
                        data.dtype(),
                        data.elements(),
                        1,
                        in(data),
                        (chunk, buffer, ready) ->
                                issue(chunk, () -> inner.reduce(buffer, op, root, part(call, chunk, ready))),
                        root == rank() ? out(data) : Copy.NOTHING),
                call);
    }

    @Override
    public Work gather(Tensor input, Tensor output, int root, Call call) {
        requireOpen("gather", call);
        boolean collects = root == rank();
        if (!isStaged(input) && !(collects && isStaged(output))) {
            return directly(() -> inner.gather(input, output, root, call));
        }
        requireRank("gather", "root", root, call);
        if (collects) {
            requireShards("gather", output, input, call);
        }
        return collective(
                new Staging(
                        input.dtype(),
                        input.elements(),
                        worldSize(),
                        (chunk, buffer, stream) -> crossing.fetch(chunk.of(input, 0), chunk.in(buffer, rank()), stream),
                        (chunk, buffer, ready) -> issue(
                                chunk,
                                () -> inner.gather(chunk.in(buffer, rank()), buffer, root, part(call, chunk, ready))),
                        collects ? outOfShards(output, 0) : Copy.NOTHING),
                call);
    }

    @Override
    public Work allToAll(Tensor input, Tensor output, Call call) {
        requireOpen("allToAll", call);
        if (!isStaged(input) && !isStaged(output)) {
            return directly(() -> inner.allToAll(input, output, call));
        }
        int ranks = worldSize();
        if (input.dtype() != output.dtype() || input.elements() != output.elements() || input.elements() % ranks != 0) {
            throw new IllegalArgumentException("rank " + rank() + ": allToAll '" + call.label() + "' got " + input
                    + " and " + output + "; both must have one type and equally many elements, a multiple of " + ranks);
        }
        return collective(
                new Staging(
                        input.dtype(),
                        input.elements() / ranks,
                        2 * ranks, // what goes out, and behind it what comes in
                        inOfShards(input),
                        (chunk, buffer, ready) -> issue(chunk, () -> {
                            long half = buffer.elements() / 2;
                            return inner.allToAll(
                                    buffer.slice(0, half), buffer.slice(half, half), part(call, chunk, ready));
                        }),
                        outOfShards(output, ranks)),
                call);
    }

    private Copy inOwnShard(Tensor input) {
        return (chunk, buffer, stream) -> crossing.fetch(chunk.of(input, 0), chunk.in(buffer, rank()), stream);
    }

    private Copy inOfShards(Tensor input) {
        return (chunk, buffer, stream) -> {
            for (int rank = 0; rank < worldSize(); rank++) {
                crossing.fetch(chunk.of(input, rank), chunk.in(buffer, rank), stream);
            }
        };
    }

    /** From the buffer's places {@code first} and after it. */
    private Copy outOfShards(Tensor output, int first) {
        return (chunk, buffer, stream) -> {
            for (int rank = 0; rank < worldSize(); rank++) {
                crossing.put(chunk.in(buffer, first + rank), chunk.of(output, rank), stream);
            }
        };
    }

    @Override
    public Work broadcast(Tensor data, int root, Call call) {
        requireOpen("broadcast", call);
        if (!isStaged(data)) {
            return directly(() -> inner.broadcast(data, root, call));
        }
        requireRank("broadcast", "root", root, call);
        boolean sends = root == rank();
        return collective(
                new Staging(
                        data.dtype(),
                        data.elements(),
                        1,
                        sends ? in(data) : Copy.NOTHING,
                        (chunk, buffer, ready) ->
                                issue(chunk, () -> inner.broadcast(buffer, root, part(call, chunk, ready))),
                        sends ? Copy.NOTHING : out(data)),
                call);
    }

    @Override
    public Work send(Tensor data, int peer, Call call) {
        requireOpen("send", call);
        requirePeer("send", peer, call);
        if (!isStaged(data)) {
            drain(sends, peer);
            return issue(() -> inner.send(data, peer, call));
        }
        return lane(sends, peer, "send-")
                .submit(
                        new Staging(
                                data.dtype(),
                                data.elements(),
                                1,
                                in(data),
                                (chunk, buffer, ready) ->
                                        issue(() -> inner.send(buffer, peer, part(call, chunk, ready))),
                                Copy.NOTHING),
                        call.after());
    }

    @Override
    public Work receive(Tensor data, int peer, Call call) {
        requireOpen("receive", call);
        requirePeer("receive", peer, call);
        if (!isStaged(data)) {
            drain(receives, peer);
            return issue(() -> inner.receive(data, peer, call));
        }
        return lane(receives, peer, "receive-")
                .submit(
                        new Staging(
                                data.dtype(),
                                data.elements(),
                                1,
                                Copy.NOTHING,
                                (chunk, buffer, ready) ->
                                        issue(() -> inner.receive(buffer, peer, part(call, chunk, ready))),
                                out(data)),
                        call.after());
    }

    private Lane lane(Map<Integer, Lane> lanes, int peer, String name) {
        return lanes.computeIfAbsent(peer, p -> new Lane(crossing, bufferBytes, name + p));
    }

    @Override
    public Work barrier(Call call) {
        requireOpen("barrier", call);
        if (collectives.isEmpty()) {
            return issue(() -> inner.barrier(call));
        }
        return lane(collectives, 0, "collectives").submit(() -> {
            issue(() -> inner.barrier(call)).await();
            return Event.DONE;
        });
    }

    /** Between operations of the same group: the inner one takes part in it as it is. */
    @Override
    public Communicator split(int color, int key) {
        drain(collectives, 0);
        return new StagedCommunicator(crossing, inner.split(color, key), true, bufferBytes);
    }

    private Work collective(Staging staging, Call call) {
        return lane(collectives, 0, "collectives").submit(staging, call.after());
    }

    private Work directly(Supplier<Work> operation) {
        drain(collectives, 0); // all ranks call in one order, and so must this one its inner communicator
        return issue(operation);
    }

    private static void drain(Map<Integer, Lane> lanes, int peer) {
        Lane lane = lanes.get(peer);
        if (lane != null) {
            lane.drain();
        }
    }

    private Work issue(Chunk chunk, Supplier<Work> operation) {
        if (chunk.first() > 0) {
            extraChunks.increment();
        }
        return issue(operation);
    }

    private Work issue(Supplier<Work> operation) {
        synchronized (issuing) {
            return operation.get();
        }
    }

    private void requireOpen(String name, Call call) {
        if (closed) {
            throw new CommunicatorException(
                    "rank " + rank() + ": " + name + " '" + call.label() + "' on a communicator that is closed");
        }
    }

    @Override
    public Communicator split(IntUnaryOperator color) {
        drain(collectives, 0);
        return new StagedCommunicator(crossing, inner.split(color), true, bufferBytes);
    }

    @Override
    public int ranksPerHost() {
        return inner.ranksPerHost();
    }

    private void requireShards(String name, Tensor whole, Tensor shard, Call call) {
        if (whole.dtype() != shard.dtype() || whole.elements() != shard.elements() * worldSize()) {
            throw new IllegalArgumentException("rank " + rank() + ": " + name + " '" + call.label() + "' got " + whole
                    + " for the whole and " + shard + " for a shard of " + worldSize()
                    + "; the whole must have the shard's type and " + worldSize() + " times its elements");
        }
    }

    private void requirePeer(String name, int peer, Call call) {
        requireRank(name, "peer", peer, call);
        if (peer == rank()) {
            throw new IllegalArgumentException("rank " + rank() + ": " + name + " '" + call.label() + "': peer = "
                    + peer + " is this rank itself; copy the tensor instead");
        }
    }

    private void requireRank(String name, String what, int value, Call call) {
        if (value < 0 || value >= worldSize()) {
            throw new IllegalArgumentException("rank " + rank() + ": " + name + " '" + call.label() + "': " + what
                    + " = " + value + ": must be in 0.." + (worldSize() - 1));
        }
    }

    /** {@return what the inner one has sent; an operation counts once, in however many chunks it went} */
    @Override
    public Traffic traffic() {
        Traffic traffic = inner.traffic();
        return traffic.since(new Traffic(0, 0, extraChunks.sum()));
    }

    @Override
    public void abort(String reason) {
        inner.abort(reason);
    }

    /** Waits for what is under way, and frees the buffers; the inner one is its owner's. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        sends.values().forEach(Lane::close);
        receives.values().forEach(Lane::close);
        collectives.values().forEach(Lane::close);
        if (ownsInner) {
            inner.close();
        }
    }
}
