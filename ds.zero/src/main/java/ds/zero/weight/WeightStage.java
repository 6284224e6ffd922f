package ds.zero.weight;

import ds.api.DType;
import ds.api.Device;
import ds.api.Tensor;
import ds.api.layer.GradientRows;
import ds.api.layer.Parameter;
import ds.zero.config.Offload;
import ds.zero.config.Stage3;
import ds.zero.config.ZeroConfig;
import ds.zero.config.ZeroOptimization;
import ds.zero.host.Machine;
import ds.zero.offload.Swapping;
import ds.zero.run.Stack;
import ds.zero.timing.StepTimer;
import ds.zero.unit.InFlight;
import ds.zero.unit.Units;
import ds.zero.unit.Visit;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;

/**
 * Where the weights are that the model computes with, in the compute type: what sets stage 3 apart. All ranks make the same
 * calls in the same order, since some of them communicate.
 */
public sealed interface WeightStage extends AutoCloseable permits ReplicatedWeights, ShardedWeights {
    /**
     * {@return where a configuration has the weights; allocates them}
     *
     * @param machine borrowed
     * @param timer is told of waits
     * @param swapping asked for if shards are kept in files
     */
    static WeightStage of(
            ZeroConfig config,
            Units units,
            Machine machine,
            StepTimer timer,
            BiFunction<Machine, Offload.Nvme, Swapping> swapping) {
        Stack stack = machine.stack();
        ZeroOptimization zero = config.zero();
        DType dtype = config.precision().weights();
        boolean overlap = zero.overlapCommunication();
        return switch (zero.stage()) {
            case DISABLED, OPTIMIZER_STATES, GRADIENTS -> new ReplicatedWeights(units, stack, dtype, overlap, timer);
            case PARAMETERS -> {
                ShardHome home = ShardHome.of(zero, units, dtype, machine, swapping);
                Stage3 limits = overlap ? zero.stage3() : zero.stage3().withoutPrefetch();
                var bucket = new InFlight.Limits(zero.allgatherBucketElements(), overlap);
                InFlight gathers = new InFlight(units, stack.backend().computeStream(), bucket, timer);
                Gathering gathering = Gathering.of(zero.plusPlus(), limits, units, stack, gathers);
                yield new ShardedWeights(units, stack, dtype, gathers, gathering, home);
            }
        };
    }

    /** {@return all values of a parameter, with its dims; borrowed for the current call of a layer} */
    Tensor value(Parameter parameter);

    /**
     * {@return the values of a unit that this rank updates: {@code [owned elements]}}
     *
     * @throws IllegalStateException if they are in a file
     */
    Tensor owned(int unit);

    /** {@return whether the owned values are in memory, and not in a file} */
    default boolean inMemory() {
        return file().isEmpty();
    }

    /** {@return the type of the values} */
    DType dtype();

    /** {@return where the owned values are, if they are in memory} */
    Device home();

    /** {@return the file in which the owned values are, if they are not in memory; borrowed} */
    default Optional<ShardFile> file() {
        return Optional.empty();
    }

    /** Begins a micro-batch whose layers will be called in this order. */
    void begin(List<Visit> visits);

    /** Is told which rows of its table the unit's own layer will read, before it enters to compute forward in training. */
    default void announce(int unit, GradientRows rows) {}

    /** {@return whether a unit's own layer need not wait until all of the unit is there, by the rows announced last} */
    default boolean comesByRows(int unit) {
        return false;
    }

    /** Has the weights there that the next visit reads. */
    void enter(Visit visit);

    /** Ends the visit entered last. */
    void leave();

    /** Is told that the owned values of a unit have changed; other ranks' values of it are asked for, where they are kept. */
    void ownedChanged(int unit);

    /**
     * Is told that {@link #ownedChanged} has been called for all units: what other ranks have changed travels on, where nothing
     * but {@link #value} needs it.
     */
    default void allChanged() {
        awaitChanges();
    }

    /** Waits until all that changed is there. */
    void awaitChanges();

    /**
     * Replaces the values of a parameter, wherever they are kept.
     *
     * @param values F32, all elements of the parameter, the same on every rank
     * @param source the same in host memory
     */
    void write(Parameter parameter, Tensor values, MemorySegment source);

    @Override
    void close();
}
