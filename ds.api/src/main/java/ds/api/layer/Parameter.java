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
    private final Shape shape;
    private final Initializer initializer;

    /**
     * Describes a parameter.
     *
     * @param name unique in the model, such as {@code "h.3.attn.c_attn.weight"}
     */
    public Parameter(String name, Shape shape, Initializer initializer) {
        this.name = Objects.requireNonNull(name, "name");
        this.shape = Objects.requireNonNull(shape, "shape");
        this.initializer = Objects.requireNonNull(initializer, "initializer");
    }

    /** {@return its unique name} */
    public String name() {
        return name;
    }

    /** {@return its dims} */
    public Shape shape() {
        return shape;
    }

    /** {@return how many elements it has} */
    public long elements() {
        return shape.elements();
    }

    /** {@return its values before training} */
    public Initializer initializer() {
        return initializer;
    }

    /** {@return whether weight decay applies: to tensors of two or more dims, not to biases and normalisation weights} */
    public boolean decays() {
        return shape.dimCount() >= 2;
    }

    /** {@return the key of its initial values} */
    public long key(long seed) {
        return CounterRandom.key(seed, CounterRandom.part(name));
    }

    @Override
    public String toString() {
        return name + shape;
    }
}
