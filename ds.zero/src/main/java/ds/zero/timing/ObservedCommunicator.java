package ds.zero.timing;

import ds.api.Device;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import ds.api.comm.Work;
import java.util.function.IntUnaryOperator;

/** A communicator that takes note of what is asked of it. Groups split off are not observed. Borrows the one inside. */
final class ObservedCommunicator implements Communicator {
    private final Communicator inner;
    private final Collectives collectives;

    ObservedCommunicator(Communicator inner, Collectives collectives) {
        this.inner = inner;
        this.collectives = collectives;
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
        return inner.accepts(device);
    }

    @Override
    public Work allReduce(Tensor data, ReduceOp op, Call call) {
        return collectives.ask(inner.allReduce(data, op, call), call, "allReduce", data);
    }

    @Override
    public Work reduceScatter(Tensor input, Tensor output, ReduceOp op, Call call) {
        return collectives.ask(inner.reduceScatter(input, output, op, call), call, "reduceScatter", input);
    }

    @Override
    public Work allGather(Tensor input, Tensor output, Call call) {
        return collectives.ask(inner.allGather(input, output, call), call, "allGather", output);
    }

    @Override
    public Work reduce(Tensor data, ReduceOp op, int root, Call call) {
        return collectives.ask(inner.reduce(data, op, root, call), call, "reduce", data);
    }

    @Override
    public Work gather(Tensor input, Tensor output, int root, Call call) {
        return collectives.ask(inner.gather(input, output, root, call), call, "gather", output);
    }

    @Override
    public Work allToAll(Tensor input, Tensor output, Call call) {
        return collectives.ask(inner.allToAll(input, output, call), call, "allToAll", input);
    }

    @Override
    public Work broadcast(Tensor data, int root, Call call) {
        return collectives.ask(inner.broadcast(data, root, call), call, "broadcast", data);
    }

    @Override
    public Work send(Tensor data, int peer, Call call) {
        return collectives.ask(inner.send(data, peer, call), call, "send", data);
    }

    @Override
    public Work receive(Tensor data, int peer, Call call) {
        return collectives.ask(inner.receive(data, peer, call), call, "receive", data);
    }

    @Override
    public Work barrier(Call call) {
        return inner.barrier(call);
    }

    @Override
    public Communicator split(int color, int key) {
        return inner.split(color, key);
    }

    @Override
    public Communicator split(IntUnaryOperator color) {
        return inner.split(color);
    }

    @Override
    public int ranksPerHost() {
        return inner.ranksPerHost();
    }

    @Override
    public Traffic traffic() {
        return inner.traffic();
    }

    @Override
    public void abort(String reason) {
        inner.abort(reason);
    }

    @Override
    public void close() {}
}
