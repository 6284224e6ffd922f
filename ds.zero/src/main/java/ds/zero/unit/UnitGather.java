package ds.zero.unit;

import ds.api.Event;
import ds.api.Tensor;

/** How the shards of a unit's weights come together on every rank. All ranks make the same calls in the same order. */
public interface UnitGather extends AutoCloseable {
    /**
     * Begins to gather a unit.
     *
     * @param shard this rank's: {@code [shardElements]}; may lie in its place in {@code whole}; left as it is until {@link #finish}
     * @param whole {@code [paddedElements]}; overwritten, after what is enqueued on the compute stream
     * @param ready the point at which the shard is there
     */
    void begin(int unit, Tensor shard, Tensor whole, Event ready);

    /** Makes what is enqueued on the compute stream from now on wait until the unit is there. */
    void finish(int unit);

    /** {@return whether {@link #begin} would read the shard, rather than a copy of the unit that is kept elsewhere} */
    default boolean readsShard(int unit) {
        return true;
    }

    /** Is told that the values of a unit have changed, on any rank. */
    default void changed(int unit) {}

    /** Waits for what is under way. */
    @Override
    void close();
}
