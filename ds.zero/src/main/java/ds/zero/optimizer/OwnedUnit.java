package ds.zero.optimizer;

import ds.api.Tensor;
import ds.api.layer.Parameter;
import ds.api.spi.Optimizer;
import java.util.List;
import java.util.Optional;

/**
 * A unit as an optimizer sees it: parameters side by side in {@code elements} elements, those with weight decay first, of which
 * this rank updates a consecutive part.
 *
 * @param name of the unit, for the labels of collectives
 * @param elements of the unit, with padding: the world size times the elements of a shard
 * @param ownedFirst the element of the unit with which the part begins that this rank updates
 * @param shardFirst the element of the unit with which this rank's shard begins, inside that part
 * @param owned the numbers of the part
 * @param parameters in the order in which they lie
 */
public record OwnedUnit(
        String name, long elements, long ownedFirst, long shardFirst, Owned owned, List<Placed> parameters) {
    /**
     * What this rank updates of a unit.
     *
     * @param weights master weights, as they are kept
     * @param gradient of any floating type; on the device of the model, which may be another one
     * @param states in the order of {@link Optimizer#states}, as they are kept
     * @param published the weights that the model computes with, wherever they are, unless the masters are these themselves
     */
    public record Owned(
            StoredElements weights, Tensor gradient, List<StoredElements> states, Optional<Tensor> published) {
        /** Copies the list. */
        public Owned {
            states = List.copyOf(states);
        }

        /** Masters that the model computes with. */
        public Owned(StoredElements weights, Tensor gradient, List<StoredElements> states) {
            this(weights, gradient, states, Optional.empty());
        }

        /** {@return consecutive elements of all} */
        Owned slice(long first, long count) {
            List<StoredElements> parts =
                    states.stream().map(state -> state.slice(first, count)).toList();
            return new Owned(
                    weights.slice(first, count),
                    gradient.slice(first, count),
                    parts,
                    published.map(all -> all.slice(first, count)));
        }
    }

    /**
     * One parameter.
     *
     * @param parameter what it is
     * @param first its first element in the unit
     * @param hidden whether it belongs to a layer between the model's first and last
     */
    public record Placed(Parameter parameter, long first, boolean hidden) {
        long end() {
            return first + parameter.elements();
        }
    }

    /** Copies the list. */
    public OwnedUnit {
        parameters = List.copyOf(parameters);
    }

    long ownedEnd() {
        return ownedFirst + owned.weights().elements();
    }

    /** {@return whether this rank updates a shard alone, rather than the whole unit} */
    boolean sharded() {
        return owned.weights().elements() < elements;
    }

    /** {@return behind the last element that decays} */
    long decayingEnd() {
        return parameters.stream()
                .filter(placed -> placed.parameter().decays())
                .mapToLong(Placed::end)
                .max()
                .orElse(0);
    }
}
