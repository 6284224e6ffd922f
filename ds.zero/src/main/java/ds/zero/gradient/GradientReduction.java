package ds.zero.gradient;

import ds.api.DType;
import ds.api.Kernels;
import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.comm.Communicator;
import ds.api.comm.ReduceOp;
import ds.zero.run.Stack;
import ds.zero.unit.InFlight;
import ds.zero.unit.ShardSums;
import ds.zero.unit.UnitBuffers;
import ds.zero.unit.UnitBuffers.Lease;
import ds.zero.unit.UnitLayout;
import ds.zero.unit.Units;

/**
 * Sums of units over the ranks, in the type in which gradients travel. What is kept in another type is converted into a buffer
 * on the way out, and back when the sum is there.
 */
final class GradientReduction implements ShardSums {
    private final Units units;
    private final Communicator communicator;
    private final Kernels kernels;
    private final InFlight inFlight;
    private final UnitBuffers buffers;

    GradientReduction(Units units, Stack stack, DType dtype, InFlight inFlight) {
        TensorBackend backend = stack.backend();
        this.units = units;
        this.communicator = stack.communicator();
        this.kernels = backend.kernels(backend.computeStream());
        this.inFlight = inFlight;
        this.buffers = new UnitBuffers(units, backend, dtype, "communicationBuckets");
    }

    @Override
    public boolean converts(DType dtype) {
        return dtype != buffers.dtype();
    }

    /** Makes a unit's gradients, all {@code [paddedElements]}, the sum over all ranks. */
    void sumEverywhere(int unit, Tensor gradients) {
        if (!converts(gradients.dtype())) {
            inFlight.add(
                    communicator.allReduce(gradients, ReduceOp.SUM, inFlight.call("gradients", unit)),
                    gradients.elements());
            return;
        }
        Lease lease = convert(unit, gradients);
        inFlight.add(
                communicator.allReduce(lease.flat(), ReduceOp.SUM, inFlight.call("gradients", unit)),
                gradients.elements(),
                () -> {
                    kernels.copy(lease.flat(), gradients);
                    buffers.giveBack(lease);
                });
    }

    @Override
    public void sumToOwner(int unit, Tensor gradients, ShardSink done) {
        if (converts(gradients.dtype())) {
            sumToOwner(unit, convert(unit, gradients), done);
        } else {
            sumToOwner(unit, gradients, done, () -> {});
        }
    }

    /** {@return a buffer for a unit's gradients in the type that travels, for {@link #sumToOwner(int, Lease, ShardSink)}} */
    Lease lease(int unit) {
        return buffers.lease(unit);
    }

    /**
     * Sums a unit's gradients over all ranks, each shard on its owner.
     *
     * @param gradients of {@link #lease}; given back when the sum is there
     * @param done gets this rank's shard of the sum
     */
    void sumToOwner(int unit, Lease gradients, ShardSink done) {
        sumToOwner(unit, gradients.flat(), done, () -> buffers.giveBack(gradients));
    }

    private void sumToOwner(int unit, Tensor gradients, ShardSink done, Runnable then) {
        UnitLayout.Range shard = units.shard(unit);
        Tensor sum = gradients.slice(shard.first(), shard.elements());
        inFlight.add(
                communicator.reduceScatter(gradients, sum, ReduceOp.SUM, inFlight.call("gradients", unit)),
                gradients.elements(),
                () -> {
                    done.accept(sum);
                    then.run();
                });
    }

    private Lease convert(int unit, Tensor gradients) {
        Lease lease = buffers.lease(unit);
        kernels.copy(gradients, lease.flat());
        return lease;
    }

    @Override
    public void awaitAll() {
        inFlight.awaitAll();
    }

    @Override
    public void close() {
        buffers.close();
    }
}
