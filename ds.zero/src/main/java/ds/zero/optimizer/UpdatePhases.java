package ds.zero.optimizer;

import java.util.List;
import java.util.Map;

/** Phases of a training in which an optimizer asks for other gradients, and keeps more than its states. By default there is one. */
public interface UpdatePhases {
    /** An optimizer that does the same in every update. */
    UpdatePhases NONE = new UpdatePhases() {};

    /**
     * {@return whether an update takes this rank's own gradients, and exchanges with other ranks what it makes of them; otherwise it is
     * given their sums}
     *
     * @param update its number, counted from 1
     */
    default boolean takesOwnGradients(long update) {
        return false;
    }

    /** {@return what is kept beside the optimizer's states, each for all units in their order} */
    default List<ExtraState> extraStates() {
        return List.of();
    }

    /** {@return what a checkpoint has to keep beside tensors, by name} */
    default Map<String, Double> numbers() {
        return Map.of();
    }

    /**
     * Goes on after so many updates.
     *
     * @param numbers as of {@link #numbers}; empty where another optimizer was saved
     */
    default void restore(Map<String, Double> numbers, long updates) {}
}
