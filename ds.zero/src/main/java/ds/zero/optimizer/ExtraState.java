package ds.zero.optimizer;

import ds.api.Tensor;
import java.util.List;
import java.util.Optional;
import java.util.function.LongPredicate;

/**
 * F32 numbers that an update keeps beside the optimizer's states, and that a checkpoint has to keep.
 *
 * @param name of letters, digits, '_', '-'
 * @param ofRank true where every rank has other numbers for all elements of a unit, false where it has those of its shard
 * @param units for each unit {@code [elements]} or {@code [shard]}
 * @param replaces the state whose numbers these are, where ranks have different ones of it; empty for numbers beside the states
 * @param inUse whether they are anything but 0 after so many updates
 */
public record ExtraState(
        String name, boolean ofRank, List<Tensor> units, Optional<String> replaces, LongPredicate inUse) {
    /** Copies the list. */
    public ExtraState {
        units = List.copyOf(units);
    }

    /** Numbers beside the states. */
    public ExtraState(String name, boolean ofRank, List<Tensor> units, LongPredicate inUse) {
        this(name, ofRank, units, Optional.empty(), inUse);
    }
}
