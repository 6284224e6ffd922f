package ds.zero.host;

import ds.api.Device;
import ds.api.Tensor;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import ds.api.comm.Work;

/** A communicator that does not reach the host's memory, as those between accelerators do not. */
record DeviceOnly(Communicator inner) implements Communicator {
    private static Tensor checked(Tensor tensor) {
        if (tensor.buffer().device().equals(Device.HOST)) {
            throw new IllegalArgumentException(tensor + " is on the host, which this communicator does not reach");
        }
        return tensor;
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
        return !device.equals(Device.HOST) && inner.accepts(device);
    }

    @Override
    public Work allReduce(Tensor data, ReduceOp op, Call call) {
        return inner.allReduce(checked(data), op, call);
    }

    @Override
    public Work reduceScatter(Tensor input, Tensor output, ReduceOp op, Call call) {
        return inner.reduceScatter(checked(input), checked(output), op, call);
    }

    @Override
    public Work allGather(Tensor input, Tensor output, Call call) {
        return inner.allGather(checked(input), checked(output), call);
    }

    @Override
    public Work reduce(Tensor data, ReduceOp op, int root, Call call) {
        return inner.reduce(checked(data), op, root, call);
    }

    @Override
    public Work gather(Tensor input, Tensor output, int root, Call call) {
        return inner.gather(checked(input), root == rank() ? checked(output) : output, root, call);
    }

    @Override
    public Work allToAll(Tensor input, Tensor output, Call call) {
        return inner.allToAll(checked(input), checked(output), call);
    }

    @Override
    public Work broadcast(Tensor data, int root, Call call) {
        return inner.broadcast(checked(data), root, call);
    }

    @Override
    public Work send(Tensor data, int peer, Call call) {
        return inner.send(checked(data), peer, call);
    }

    @Override
    public Work receive(Tensor data, int peer, Call call) {
        return inner.receive(checked(data), peer, call);
    }

    @Override
    public Work barrier(Call call) {
        return inner.barrier(call);
    }

    @Override
    public Communicator split(int color, int key) {
        return new DeviceOnly(inner.split(color, key));
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
    public void close() {
        inner.close();
    }
}
