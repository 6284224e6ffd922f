package ds.models.gpt.parallel;

import ds.api.Shape;
import ds.api.comm.Communicator;
import ds.api.layer.Slice;
import java.util.Optional;

/**
 * The ranks over which each layer of a model is split; all of them see the same micro-batches.
 *
 * @param group of these ranks, borrowed; empty for a model that is not split
 */
public record TensorAxis(Optional<Communicator> group) {
    /** The axis of a model that is not split. */
    public static final TensorAxis UNSPLIT = new TensorAxis(Optional.empty());

    /** {@return the axis of a group; that of one rank splits nothing} */
    public static TensorAxis of(Communicator group) {
        return group.worldSize() == 1 ? UNSPLIT : new TensorAxis(Optional.of(group));
    }

    /** {@return how many ranks share a layer} */
    public int size() {
        return group.map(Communicator::worldSize).orElse(1);
    }

    /** {@return this rank's number among them} */
    public int rank() {
        return group.map(Communicator::rank).orElse(0);
    }

    /** {@return whether there are several} */
    public boolean isSplit() {
        return group.isPresent();
    }

    /**
     * {@return this rank's block of the columns of each of several groups}
     *
     * @param unit columns that stay together, such as those of a head
     */
    Slice columns(Shape whole, int groups, long unit) {
        return Slice.columns(whole, groups, unit, size(), rank());
    }

    /**
     * {@return this rank's block of the rows}
     *
     * @param unit rows that stay together
     */
    Slice rows(Shape whole, long unit) {
        return Slice.rows(whole, unit, size(), rank());
    }

    /** {@return this rank's share of things that are dealt as evenly as they can be; the last rank has fewer} */
    public Share shareOf(int count) {
        int most = Math.ceilDiv(count, size());
        return new Share(rank() * most, Math.min(most, count - rank() * most));
    }

    /**
     * Consecutive things.
     *
     * @param first the first one
     * @param count how many
     */
    public record Share(int first, int count) {}

    /**
     * {@return where the rows of a micro-batch are: each rank has its part where the ranks divide them, and all where they do not}
     *
     * @param all B·T
     */
    public TokenRows rowsOf(long all) {
        return new TokenRows(this, all, all % size() == 0 ? size() : 1);
    }

    /** {@return rows that every rank has all of, such as the few of a text that is being generated} */
    public TokenRows repeatedRows(long all) {
        return new TokenRows(this, all, 1);
    }
}
