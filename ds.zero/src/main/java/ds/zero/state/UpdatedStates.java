package ds.zero.state;

import ds.api.Tensor;
import ds.api.TensorBackend;
import ds.api.spi.Optimizer;
import ds.zero.optimizer.UpdatePhases;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * What this rank updates: master weights and optimizer states of the elements that it owns; in memory, or in files between
 * updates; in F32, or in less as the configuration says.
 */
public sealed interface UpdatedStates extends AutoCloseable permits OwnedStates, SwappedStates, DividedStates {
    /** The number of the masters among what {@link #read} and {@link #write} reach; the optimizer's states follow from 0. */
    int MASTER = -1;

    /** {@return the backend that updates, and whose memory {@link #master} is in; borrowed} */
    TensorBackend backend();

    /** {@return the names of the optimizer's states} */
    List<String> stateNames();

    /** {@return what the optimizer asks for and keeps as training goes on} */
    default UpdatePhases phases() {
        return UpdatePhases.NONE;
    }

    /** {@return whether units may be updated in any order, which is the same on all ranks} */
    default boolean inAnyOrder() {
        return false;
    }

    /** Begins a step, when all gradients are there; then each unit is updated once, in order unless any is possible. */
    void prepare(Optimizer.Step step);

    /**
     * Updates what this rank owns of a unit, and makes its weights what the masters say then.
     *
     * @param step with the weight decay of the parameters that decay
     */
    void update(int unit, Optimizer.Step step);

    /** Waits until all updates are done, and kept. */
    void awaitUpdates();

    /** Makes the weights of a unit what its masters say, where this rank owns them. */
    void publish(int unit);

    /** {@return masters of what this rank owns in a unit, F32 or BF16; borrowed until the next call, or {@link #forget}} */
    Tensor master(int unit);

    /** Frees what {@link #master} may have fetched. */
    void forget();

    /**
     * Reads elements to host memory.
     *
     * @param state {@link #MASTER}, or an optimizer state by its place among the names
     * @param first counted from the first element that this rank owns in the unit; one that is kept here, as all are
     * @param target F32; as many elements as it has are read
     */
    void read(int state, int unit, long first, MemorySegment target);

    /**
     * {@return elements where they are, if that is host memory and they are F32 there: they rest until the next update, or
     * {@link #write}}
     *
     * @param state as of {@link #read}
     * @param first as of {@link #read}
     * @param count how many
     */
    default Optional<MemorySegment> resident(int state, int unit, long first, long count) {
        return Optional.empty();
    }

    /** Replaces elements from host memory; masters are published by {@link #publish} only. See {@link #read}. */
    void write(int state, int unit, long first, MemorySegment source);

    @Override
    void close();
}
