package ds.zero.host;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Event;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Stream;
import ds.api.Tensor;
import ds.api.TensorBackend;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** A rank's shards of the weights in pinned host memory, in the compute type (ZeRO-3 Offload). */
public final class HostShards implements AutoCloseable {
    private final TensorBackend device;
    private final TensorBackend host;
    private final Kernels kernels;
    private final Stream uploads;
    private final List<Tensor> shards = new ArrayList<>();

    /**
     * Allocates them.
     *
     * @param device that computes with the weights; borrowed
     * @param host that writes them; borrowed
     * @param elements of each unit's shard
     */
    public HostShards(TensorBackend device, TensorBackend host, DType dtype, List<Long> elements) {
        this.device = device;
        this.host = host;
        this.kernels = host.kernels(host.computeStream());
        this.uploads = device.openStream();
        for (long count : elements) {
            Buffer buffer = device.allocateHost(count * dtype.byteSize(), "weights");
            shards.add(new Tensor(buffer, dtype, Shape.of(count)));
        }
    }

    /** {@return this rank's shard of a unit} */
    public Tensor shard(int unit) {
        return shards.get(unit);
    }

    /**
     * Begins to copy a shard to the device, after what is enqueued on its compute stream.
     *
     * @return done when it is there
     */
    public Event upload(int unit, Tensor target) {
        uploads.await(device.computeStream().record());
        device.upload(shards.get(unit), target, uploads);
        return uploads.record();
    }

    /**
     * Replaces elements of a shard, and waits for it.
     *
     * @param values F32
     */
    public void write(int unit, long first, MemorySegment values) {
        long count = values.byteSize() / Float.BYTES;
        try (Buffer buffer = host.allocateHost(values.byteSize(), "temporary")) {
            Tensor given = new Tensor(buffer, DType.F32, Shape.of(count));
            host.upload(values, given, host.computeStream());
            uploads.synchronize();
            kernels.copy(given, shards.get(unit).slice(first, count));
            host.computeStream().synchronize();
        }
    }

    @Override
    public void close() {
        uploads.synchronize();
        uploads.close();
        shards.forEach(shard -> shard.buffer().close());
    }
}
