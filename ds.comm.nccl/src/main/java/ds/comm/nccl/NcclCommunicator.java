package ds.comm.nccl;

import ds.api.Device;
import ds.api.Event;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.CommunicatorException;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import ds.api.comm.Work;
import ds.comm.nccl.driver.Nccl;
import ds.cuda.CudaDevice;
import ds.cuda.CudaException;
import java.lang.ref.Reference;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A group of GPUs, on a stream of its own. The order in which NCCL sums is its own: the same for every call of the same size in the same
 * group, but not that of the ranks, and BF16 and F16 are rounded at every step; {@link ReduceOp#MAX} passes over NaN. That all ranks call the
 * same is not checked: where they do not, the watchdog ends the job.
 */
final class NcclCommunicator implements Communicator {
    private static final String DEVICE_TYPE = "cuda";

    private final Job job;
    private final Optional<NcclCommunicator> parent;
    private final int device;
    private final long group;
    private final int rank;
    private final int worldSize;
    private final CudaDevice gpu;
    private final Nccl nccl;
    private final long stream;
    private final long token; // four bytes, for barriers
    private final Nccl.Place place;
    private final AtomicReference<Traffic> traffic = new AtomicReference<>(Traffic.NONE);
    private long sequence;
    private boolean closed;

    NcclCommunicator(Job job, Optional<NcclCommunicator> parent, int device, long group) {
        this.job = job;
        this.parent = parent;
        this.device = device;
        this.group = group;
        this.gpu = job.gpu();
        this.nccl = job.nccl();
        this.rank = nccl.rank(group);
        this.worldSize = nccl.size(group);
        this.stream = gpu.openStream();
        this.token = gpu.allocate(Integer.BYTES);
        this.place = new Nccl.Place(group, stream);
        job.opened(group);
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int worldSize() {
        return worldSize;
    }

    @Override
    public boolean accepts(Device other) {
        return other.equals(new Device(DEVICE_TYPE, device));
    }

    /** Enqueues an operation behind what its operands wait for. */
    private synchronized Work run(String what, Call call, long sentElements, int elementBytes, Runnable operation) {
        sequence++;
        String name = what + " '" + call.label() + "', number " + sequence + " of a group of " + worldSize;
        if (closed) {
            throw new CommunicatorException("rank " + rank + ": " + name + ": the communicator is closed");
        }
        job.check(name);
        try {
            gpu.bind();
            waitFor(call.after());
            operation.run();
            long event = job.events().record(stream);
            NcclWork work = new NcclWork(job, name, event);
            job.events().lend(work, event);
            job.watchdog().watch(work);
            count(sentElements, elementBytes);
            return work;
        } catch (CudaException e) {
            throw failed(name, e);
        }
    }

    /** Ends the job; throws the first failure, if this one follows from it. */
    private CommunicatorException failed(String name, CudaException e) {
        job.awaitCause(e);
        job.check(name);
        job.fail("rank " + job.rank() + ": " + name + ": " + e.getMessage());
        return new CommunicatorException("rank " + rank + ": " + name + ": " + e.getMessage(), e);
    }

    private void waitFor(Event after) {
        try {
            OptionalLong handle = after.nativeHandle();
            if (handle.isPresent()) {
                gpu.await(stream, handle.getAsLong());
            } else {
                after.synchronize();
            }
        } finally {
            Reference.reachabilityFence(after); // once collected, its handle may stand for another point
        }
    }

    private void count(long elements, int elementBytes) {
        Traffic sent = new Traffic(elements, elements * elementBytes, 1);
        for (Optional<NcclCommunicator> one = Optional.of(this); one.isPresent(); one = one.get().parent) {
            one.get().traffic.accumulateAndGet(sent, Traffic::plus);
        }
    }

    /** {@return the elements that a rank sends of a buffer, if it sends all but its own share} */
    private long othersOf(long elements) {
        return elements / worldSize * (worldSize - 1);
    }

    private static String describe(String operation, Tensor tensor) {
        return operation + " of " + tensor.dtype() + "[" + tensor.elements() + "]";
    }

    private void require(String operation, Tensor tensor) {
        if (!accepts(tensor.buffer().device())) {
            throw new IllegalArgumentException("rank " + rank + ": " + operation + ": " + tensor + " is not on cuda:"
                    + device + "; tensors elsewhere have to be staged");
        }
    }

    private void requireShards(String operation, Tensor whole, Tensor shard) {
        require(operation, whole);
        require(operation, shard);
        if (whole.elements() != worldSize * shard.elements() || whole.dtype() != shard.dtype()) {
            throw new IllegalArgumentException("rank " + rank + ": " + operation + ": " + whole + " is not " + worldSize
                    + " shards of " + shard + "; size both from the same partition");
        }
    }

    @Override
    public Work allReduce(Tensor data, ReduceOp op, Call call) {
        require("allReduce", data);
        return run(
                describe("allReduce", data),
                call,
                2 * othersOf(data.elements()),
                data.dtype().byteSize(),
                () -> nccl.allReduce(data.address(), data.address(), data.elements(), data.dtype(), op, place));
    }

    @Override
    public Work reduceScatter(Tensor input, Tensor output, ReduceOp op, Call call) {
        requireShards("reduceScatter", input, output);
        return run(
                describe("reduceScatter", input),
                call,
                othersOf(input.elements()),
                input.dtype().byteSize(),
                () -> nccl.reduceScatter(
                        input.address(), output.address(), output.elements(), input.dtype(), op, place));
    }

    @Override
    public Work allGather(Tensor input, Tensor output, Call call) {
        requireShards("allGather", output, input);
        return run(
                describe("allGather", output),
                call,
                othersOf(output.elements()),
                input.dtype().byteSize(),
                () -> nccl.allGather(input.address(), output.address(), input.elements(), input.dtype(), place));
    }

    @Override
    public Work reduce(Tensor data, ReduceOp op, int root, Call call) {
        require("reduce", data);
        requireRank("reduce", root);
        return run(
                describe("reduce", data) + " to " + root,
                call,
                othersOf(data.elements()) + (rank == root ? 0 : data.elements() / worldSize),
                data.dtype().byteSize(),
                () -> nccl.reduce(data.address(), data.elements(), data.dtype(), op, root, place));
    }

    @Override
    public Work gather(Tensor input, Tensor output, int root, Call call) {
        require("gather", input);
        requireRank("gather", root);
        if (rank == root) {
            requireShards("gather", output, input);
        }
        long shardBytes = input.byteSize();
        return run(
                describe("gather", input) + " to " + root,
                call,
                rank == root ? 0 : input.elements(),
                input.dtype().byteSize(),
                () -> {
                    if (rank != root) {
                        nccl.grouped(() -> nccl.send(input.address(), input.elements(), input.dtype(), root, place));
                        return;
                    }
                    copy(input.address(), output.address() + rank * shardBytes, shardBytes);
                    nccl.grouped(() -> {
                        for (int peer = 0; peer < worldSize; peer++) {
                            if (peer != rank) {
                                long at = output.address() + peer * shardBytes;
                                nccl.receive(at, input.elements(), input.dtype(), peer, place);
                            }
                        }
                    });
                });
    }

    private void copy(long from, long to, long bytes) {
        if (from != to) {
            gpu.copy(from, to, bytes, stream);
        }
    }

    @Override
    public Work allToAll(Tensor input, Tensor output, Call call) {
        require("allToAll", input);
        require("allToAll", output);
        if (input.elements() != output.elements()
                || input.elements() % worldSize != 0
                || input.dtype() != output.dtype()) {
            throw new IllegalArgumentException("rank " + rank + ": allToAll: " + input + " and " + output
                    + " are not both " + worldSize + " shards of one size and type");
        }
        long shard = input.elements() / worldSize;
        long shardBytes = input.byteSize() / worldSize;
        return run(
                describe("allToAll", input),
                call,
                othersOf(input.elements()),
                input.dtype().byteSize(),
                () -> {
                    copy(input.address() + rank * shardBytes, output.address() + rank * shardBytes, shardBytes);
                    nccl.grouped(() -> {
                        for (int peer = 0; peer < worldSize; peer++) {
                            if (peer != rank) {
                                nccl.send(input.address() + peer * shardBytes, shard, input.dtype(), peer, place);
                                nccl.receive(output.address() + peer * shardBytes, shard, input.dtype(), peer, place);
                            }
                        }
                    });
                });
    }

    @Override
    public Work broadcast(Tensor data, int root, Call call) {
        require("broadcast", data);
        requireRank("broadcast", root);
        return run(
                describe("broadcast", data) + " from " + root,
                call,
                rank == root ? data.elements() : 0,
                data.dtype().byteSize(),
                () -> nccl.broadcast(data.address(), data.elements(), data.dtype(), root, place));
    }

    private void requireRank(String operation, int root) {
        if (root < 0 || root >= worldSize) {
            throw new IllegalArgumentException(
                    "rank " + rank + ": " + operation + ": no rank " + root + " in a group of " + worldSize);
        }
    }

    /**
     * Absent: it must wait neither for collectives nor for what the peer sends. NCCL's waits on the device for its receiver, and neither a
     * stream nor an NCCL group of its own changes that: CUDA does not promise that streams go on independently of each other, so that
     * what waits in one may keep a collective in another from starting, which the receiver waits for.
     */
    @Override
    public Work send(Tensor data, int peer, Call call) {
        throw absent("send", call);
    }

    /** Absent, as {@link #send} is. */
    @Override
    public Work receive(Tensor data, int peer, Call call) {
        throw absent("receive", call);
    }

    private static UnsupportedOperationException absent(String operation, Call call) {
        return new UnsupportedOperationException(operation + " '" + call.label()
                + "': communicator nccl has collectives alone; ds.communicator = tcp sends and receives");
    }

    @Override
    public Work barrier(Call call) {
        return run(
                "barrier",
                call,
                0,
                Integer.BYTES,
                () -> nccl.allReduce(token, token, 1, ds.api.DType.I32, ReduceOp.MAX, place));
    }

    @Override
    public synchronized Communicator split(int color, int key) {
        if (color < 0) {
            throw new IllegalArgumentException(
                    "rank " + rank + ": split with color " + color + ": must not be negative");
        }
        job.check("split");
        try {
            gpu.bind();
            return new NcclCommunicator(job, Optional.of(this), device, nccl.split(group, color, key));
        } catch (CudaException e) {
            throw failed("split", e);
        }
    }

    @Override
    public Traffic traffic() {
        return traffic.get();
    }

    @Override
    public void abort(String reason) {
        job.fail("rank " + job.rank() + " has given up: " + reason);
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        gpu.bind();
        if (!job.failed()) {
            // Destroying a group must find nothing under way; and as long as it is not taken over it can be aborted.
            gpu.synchronize(stream);
        }
        if (job.takeOver(group)) { // else an abort has freed it
            nccl.destroy(group);
        }
        gpu.closeStream(stream);
        gpu.free(token);
        if (parent.isEmpty()) {
            job.close();
        }
    }
}
