package ds.zero.unit;

import ds.api.DType;
import ds.api.Tensor;

/** How the gradients of a unit are summed over all ranks, each shard on its owner. All ranks make the same calls in the same order. */
public interface ShardSums extends AutoCloseable {
    /** What is done with a rank's shard of a sum once it is there; the tensor is borrowed. */
    @FunctionalInterface
    interface ShardSink {
        void accept(Tensor sum);
    }

    /** {@return whether gradients of this type are copied before they travel, and so are free at once} */
    boolean converts(DType dtype);

    /**
     * Begins to sum.
     *
     * @param gradients {@code [paddedElements]}; this rank's shard of it may be overwritten by the sum
     * @param done gets this rank's shard of the sum
     */
    void sumToOwner(int unit, Tensor gradients, ShardSink done);

    void awaitAll();

    @Override
    void close();
}
