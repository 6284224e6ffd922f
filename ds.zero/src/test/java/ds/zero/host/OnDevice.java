package ds.zero.host;

import ds.api.Buffer;
import ds.api.Device;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Call;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.comm.Traffic;
import ds.api.comm.Work;
import java.util.ArrayList;
import java.util.List;

/**
 * Host tensors passed as tensors of a device: each operand is uploaded before, and downloaded when the operation has been
 * waited for. So a suite for host tensors tests a communicator for those of a device.
 */
final class OnDevice implements Communicator {
    private final TensorBackend device;
    private final Communicator inner;
    private final List<Buffer> buffers = new ArrayList<>();

    OnDevice(TensorBackend device, Communicator inner) {
        this.device = device;
        this.inner = inner;
    }

    private Tensor upload(Tensor host, Call call) {
        Tensor tensor = device.allocate(host.dtype(), host.shape(), "test");
        buffers.add(tensor.buffer());
        device.computeStream().await(call.after());
        device.upload(host.host(), tensor, device.computeStream());
        return tensor;
    }

    private Call after(Call call) {
        return new Call(call.label(), device.computeStream().record());
    }

    private Work download(Work work, Tensor tensor, Tensor host) {
        return () -> {
            work.await(device.computeStream());
            device.download(tensor, host.host(), device.computeStream());
            device.computeStream().synchronize();
        };
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
    public boolean accepts(Device given) {
        return given.equals(Device.HOST);
    }

    @Override
    public Work allReduce(Tensor data, ReduceOp op, Call call) {
        Tensor mine = upload(data, call);
        return download(inner.allReduce(mine, op, after(call)), mine, data);
    }

    @Override
    public Work reduceScatter(Tensor input, Tensor output, ReduceOp op, Call call) {
        Tensor in = upload(input, call);
        Tensor out = sharing(output, input, in, call);
        return download(inner.reduceScatter(in, out, op, after(call)), out, output);
    }

    @Override
    public Work allGather(Tensor input, Tensor output, Call call) {
        Tensor out = upload(output, call);
        Tensor in = sharing(input, output, out, call);
        return download(inner.allGather(in, out, after(call)), out, output);
    }

    /** A shard where it is part of the whole there, too. */
    private Tensor sharing(Tensor shard, Tensor whole, Tensor uploaded, Call call) {
        boolean inside = shard.buffer().equals(whole.buffer()) && shard.dtype() == whole.dtype();
        long first = (shard.byteOffset() - whole.byteOffset()) / whole.dtype().byteSize();
        return inside ? uploaded.slice(first, shard.elements()) : upload(shard, call);
    }

    @Override
    public Work reduce(Tensor data, ReduceOp op, int root, Call call) {
        Tensor mine = upload(data, call);
        return download(inner.reduce(mine, op, root, after(call)), mine, data);
    }

    @Override
    public Work gather(Tensor input, Tensor output, int root, Call call) {
        if (root != rank()) {
            Tensor in = upload(input, call);
            return inner.gather(in, in, root, after(call));
        }
        Tensor out = upload(output, call);
        Tensor in = sharing(input, output, out, call);
        return download(inner.gather(in, out, root, after(call)), out, output);
    }

    @Override
    public Work allToAll(Tensor input, Tensor output, Call call) {
        Tensor in = upload(input, call);
        Tensor out = upload(output, call);
        return download(inner.allToAll(in, out, after(call)), out, output);
    }

    @Override
    public Work broadcast(Tensor data, int root, Call call) {
        Tensor mine = upload(data, call);
        return download(inner.broadcast(mine, root, after(call)), mine, data);
    }

    @Override
    public Work send(Tensor data, int peer, Call call) {
        return inner.send(upload(data, call), peer, after(call));
    }

    @Override
    public Work receive(Tensor data, int peer, Call call) {
        Tensor mine = upload(data, call);
        return download(inner.receive(mine, peer, after(call)), mine, data);
    }

    @Override
    public Work barrier(Call call) {
        return inner.barrier(call);
    }

    @Override
    public Communicator split(int color, int key) {
        return new OnDevice(device, inner.split(color, key));
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
        buffers.forEach(Buffer::close);
    }
}
