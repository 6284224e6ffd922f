package ds.zero;

import ds.api.Buffer;
import ds.api.DType;
import ds.api.Kernels;
import ds.api.Shape;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.api.layer.Parameter;
import java.util.ArrayList;
import java.util.List;

/**
 * Stage 2: a rank keeps the gradients of its own shard only (the paper's P_os+g). A unit's gradients in full live in a
 * borrowed buffer from the first addition until they are summed to their owners, in every micro-batch. It sends kΨ(N−1)/N
 * elements for k micro-batches.
 */
final class ShardedGradients implements GradientStage {
    private final Units units;
    private final Communicator communicator;
    private final Kernels kernels;
    private final GradientBuffers buffers;
    private final InFlight inFlight;
    private final List<Tensor> shards = new ArrayList<>();
    private final GradientBuffers.Lease[] leases;
    private boolean first;

    ShardedGradients(Units units, TensorBackend backend, Communicator communicator, InFlight inFlight) {
        this.units = units;
        this.communicator = communicator;
        this.kernels = backend.kernels(backend.computeStream());
        this.buffers = new GradientBuffers(units, backend);
        this.inFlight = inFlight;
        this.leases = new GradientBuffers.Lease[units.count()];
        for (int unit = 0; unit < units.count(); unit++) {
            Shape shape = Shape.of(units.layout(unit).shardElements());
            shards.add(backend.allocate(DType.F32, shape, "gradients"));
        }
    }

    @Override
    public void begin(boolean first, boolean last) {
        this.first = first;
    }

    @Override
    public Tensor gradient(Parameter parameter) {
        return lease(units.unitOf(parameter)).views().get(parameter);
    }

    private GradientBuffers.Lease lease(int unit) {
        if (leases[unit] == null) {
            while (!inFlight.hasRoom()) {
                inFlight.awaitOldest();
            }
            leases[unit] = buffers.lease(unit);
            kernels.fill(leases[unit].flat(), 0);
        }
        return leases[unit];
    }

    @Override
    public void unitDone(int unit) {
        GradientBuffers.Lease lease = lease(unit);
        Tensor flat = lease.flat();
        UnitLayout.Range owned = owned(unit);
        Tensor sum = flat.slice(owned.first(), owned.elements());
        boolean starts = first;
        leases[unit] = null;
        inFlight.add(
                communicator.reduceScatter(flat, sum, ReduceOp.SUM, inFlight.call("gradients", unit)),
                flat.elements(),
                () -> {
                    kernels.axpby(1, sum, starts ? 0 : 1, shards.get(unit));
                    buffers.giveBack(lease);
                });
    }

    @Override
    public void finish() {
        inFlight.awaitAll();
    }

    @Override
    public Tensor reduced(int unit) {
        return shards.get(unit);
    }

    @Override
    public UnitLayout.Range owned(int unit) {
        return units.layout(unit).shard(communicator.rank());
    }

    @Override
    public void close() {
        buffers.close();
        shards.stream().map(Tensor::buffer).forEach(Buffer::close);
    }
}
