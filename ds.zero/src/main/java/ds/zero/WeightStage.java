package ds.zero;

import ds.api.DType;
import ds.api.Tensor;
import ds.api.layer.Parameter;
import java.util.List;

/**
 * Where the weights are that the model computes with, in the compute type: what sets stage 3 apart. All ranks make the same
 * calls in the same order, since some of them communicate.
 */
sealed interface WeightStage extends AutoCloseable permits ReplicatedWeights, ShardedWeights {
    /** {@return all values of a parameter, with its dims; borrowed for the current call of a layer} */
    Tensor value(Parameter parameter);

    /**
     * {@return the values of a unit that this rank updates: {@code [owned elements]}}
     *
     * @throws IllegalStateException if they are in a file
     */
    Tensor owned(int unit);

    /** {@return whether the owned values are in memory, and not in a file} */
    boolean inMemory();

    /** {@return the type of the values} */
    DType dtype();

    /** Replaces owned values by what their masters, F32 or of the values' own type, are now. */
    void setOwned(Tiles.Tile tile, Tensor masters);

    /** Begins a micro-batch whose layers will be called in this order. */
    void begin(List<Visit> visits);

    /** Has the weights there that the next visit reads. */
    void enter(Visit visit);

    /** Ends the visit entered last. */
    void leave();

    /** Is told that the owned values of a unit have changed; other ranks' values of it are asked for, where they are kept. */
    void ownedChanged(int unit);

    /** Waits until all that changed is there. */
    void awaitChanges();

    /**
     * Replaces the values of a parameter, wherever they are kept.
     *
     * @param values F32, all elements of the parameter, the same on every rank
     */
    void write(Parameter parameter, Tensor values);

    /** {@return how long the calling thread has waited for weights since it last asked} */
    long takeWaitNanos();

    @Override
    void close();
}
