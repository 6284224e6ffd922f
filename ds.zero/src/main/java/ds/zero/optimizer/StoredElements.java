package ds.zero.optimizer;

import ds.api.CounterRandom;
import ds.api.Kernels;
import ds.api.Tensor;

/**
 * Numbers that an optimizer updates, as they are kept between updates. Optimizers see F32: what is kept otherwise is brought
 * into F32 tile by tile, and rounded back after.
 */
public sealed interface StoredElements {
    /** {@return how many there are} */
    long elements();

    /** {@return a view of consecutive ones} */
    StoredElements slice(long first, long count);

    /** {@return what the model computes with, or what that is rounded from} */
    default Tensor published() {
        return switch (this) {
            case F32(Tensor all) -> all;
            case Split(Tensor nearest, Tensor _) -> nearest;
            case Nearest(Tensor bf16) -> bf16;
            case Stochastic(Tensor bf16, CounterRandom _) -> bf16;
        };
    }

    /** {@return whether they are F32, and so updated where they are} */
    default boolean isF32() {
        return this instanceof F32;
    }

    /**
     * {@return the numbers in F32: themselves, or what is brought into a scratch tensor}
     *
     * @param scratch F32, as many elements; overwritten unless these are F32
     */
    default Tensor load(Kernels kernels, Tensor scratch) {
        switch (this) {
            case F32(Tensor all) -> {
                return all;
            }
            case Split(Tensor nearest, Tensor rest) -> kernels.join(nearest, rest, scratch);
            case Nearest(Tensor bf16) -> kernels.copy(bf16, scratch);
            case Stochastic(Tensor bf16, CounterRandom _) -> kernels.copy(bf16, scratch);
        }
        return scratch;
    }

    /**
     * Keeps what an update has made of the tensor that {@link #load} returned.
     *
     * @param update its number, counted from 1: decides about random bits
     */
    default void store(Kernels kernels, Tensor values, long update) {
        switch (this) {
            case Stochastic(Tensor bf16, CounterRandom random) -> {
                long key = CounterRandom.key(random.key(), update);
                kernels.roundStochastically(values, new CounterRandom(key, random.first()), bf16);
            }
            case F32 _ -> {}
            case Split _ -> set(kernels, values);
            case Nearest _ -> set(kernels, values);
        }
    }

    /** Replaces the numbers by others, outside of updates: rounded to nearest even, so that those kept so once come back. */
    default void set(Kernels kernels, Tensor values) {
        switch (this) {
            case F32(Tensor all) -> kernels.copy(values, all);
            case Split(Tensor nearest, Tensor rest) -> kernels.split(values, nearest, rest);
            case Nearest(Tensor bf16) -> kernels.copy(values, bf16);
            case Stochastic(Tensor bf16, CounterRandom _) -> kernels.copy(values, bf16);
        }
    }

    /** As they are. */
    record F32(Tensor all) implements StoredElements {
        @Override
        public long elements() {
            return all.elements();
        }

        @Override
        public F32 slice(long first, long count) {
            return new F32(all.slice(first, count));
        }
    }

    /**
     * F32 in two halves; see {@link ds.api.Bf16}.
     *
     * @param nearest BF16: what the model computes with
     * @param rest of a type of two bytes
     */
    record Split(Tensor nearest, Tensor rest) implements StoredElements {
        @Override
        public long elements() {
            return nearest.elements();
        }

        @Override
        public Split slice(long first, long count) {
            return new Split(nearest.slice(first, count), rest.slice(first, count));
        }
    }

    /** BF16, rounded to nearest even. */
    record Nearest(Tensor bf16) implements StoredElements {
        @Override
        public long elements() {
            return bf16.elements();
        }

        @Override
        public Nearest slice(long first, long count) {
            return new Nearest(bf16.slice(first, count));
        }
    }

    /**
     * BF16, rounded stochastically: the random bits are a function of seed, unit, kind, update and element, and so the same
     * for any shards and tiles.
     *
     * @param random of the unit and kind, counted from the unit's element 0
     */
    record Stochastic(Tensor bf16, CounterRandom random) implements StoredElements {
        @Override
        public long elements() {
            return bf16.elements();
        }

        @Override
        public Stochastic slice(long first, long count) {
            return new Stochastic(bf16.slice(first, count), new CounterRandom(random.key(), random.first() + first));
        }
    }
}
