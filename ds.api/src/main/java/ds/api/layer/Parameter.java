package ds.api.layer;

import ds.api.CounterRandom;
import ds.api.Shape;
import java.util.Objects;

/**
 * A trainable tensor of a model: what it is called and how it begins, not where it lives. Two layers that list the same
 * object share it (tied weights); equality is identity.
 */
public final class Parameter {
    private final String name;
    private final Slice slice;
    private final Initializer initializer;

    /**
     * Describes a parameter.
     *
     * @param name unique in the model, such as {@code "h.3.attn.c_attn.weight"}
     */
    public Parameter(String name, Shape shape, Initializer initializer) {
        this(name, Slice.all(Objects.requireNonNull(shape, "shape")), initializer);
    }

    /**
     * Describes what this rank holds of a parameter that ranks share.
     *
     * @param name of the whole one, unique in the model
     * @param initializer of the whole one
     */
    public Parameter(String name, Slice slice, Initializer initializer) {
        this.name = Objects.requireNonNull(name, "name");
        this.slice = Objects.requireNonNull(slice, "slice");
        this.initializer = Objects.requireNonNull(initializer, "initializer");
    }

    /** {@return its unique name} */
    public String name() {
        return name;
    }

    /** {@return its dims on this rank} */
    public Shape shape() {
        return slice.shape();
    }

    /** {@return how many elements it has on this rank} */
    public long elements() {
        return slice.elements();
    }

    /** {@return which elements of the whole parameter these are; all of them unless the model is split over ranks} */
    public Slice slice() {
        return slice;
    }

    /** {@return the dims of the whole parameter: what files know} */
    public Shape whole() {
        return slice.whole();
    }

    /** {@return its values before training, of elements of the whole parameter} */
    public Initializer initializer() {
        return initializer;
    }

    /** {@return whether weight decay applies: to tensors of two or more dims, not to biases and normalisation weights} */
    public boolean decays() {
        return whole().dimCount() >= 2;
    }

    /** {@return the key of its initial values} */
    public long key(long seed) {
        return CounterRandom.key(seed, CounterRandom.part(name));
    }

    @Override
    public String toString() {
        return name + shape();
    }
}
