package ds.zero.state;

import ds.api.DType;
import ds.api.Device;
import ds.api.Tensor;
import ds.api.spi.Optimizer;
import ds.zero.config.StatePrecision;
import ds.zero.config.StatePrecision.MasterWeights;
import ds.zero.optimizer.StateRounding;
import ds.zero.optimizer.StoredElements;
import ds.zero.optimizer.UnitUpdate;
import ds.zero.unit.Units;
import ds.zero.weight.WeightStage;
import java.util.List;
import java.util.Optional;

/**
 * In which types masters and optimizer states are kept, and what of them takes memory beside the weights: arithmetic, and views
 * of tensors that others own. Where weights are their own masters, masters take nothing.
 */
final class StateKinds {
    private final Units units;
    private final WeightStage weights;
    private final Optimizer optimizer;
    private final boolean inPlace;
    private final DType stateType;
    private final MasterWeights masters;
    private final StateRounding rounding;

    /**
     * Decides.
     *
     * @param updating the device that updates, and keeps what is beside the weights
     * @throws IllegalArgumentException if split masters are asked for where the weights are elsewhere
     */
    StateKinds(
            Units units,
            WeightStage weights,
            StatePrecision precision,
            long seed,
            Optimizer optimizer,
            Device updating) {
        this.units = units;
        this.weights = weights;
        this.inPlace = weights.inMemory() && weights.home().equals(updating);
        this.optimizer = optimizer;
        this.stateType = precision.optimizerStates();
        this.masters = precision.masterWeights();
        this.rounding = new StateRounding(precision.rounding(), seed);
        if (masters == MasterWeights.SPLIT && !inPlace) {
            throw new IllegalArgumentException(
                    "ds.states.master_weights = split: the other 16 bits are kept beside the"
                            + " weights, and zero_optimization.offload_optimizer keeps masters on " + updating
                            + ", the weights elsewhere; choose fp32, which takes no more there, or bf16, or offload_param, too");
        }
    }

    /** {@return whether the weights are in the memory of the backend that updates} */
    boolean inPlace() {
        return inPlace;
    }

    Units units() {
        return units;
    }

    WeightStage weights() {
        return weights;
    }

    Optimizer optimizer() {
        return optimizer;
    }

    List<String> names() {
        return optimizer.states();
    }

    /** {@return the type of the optimizer's states} */
    DType stateType() {
        return stateType;
    }

    /** {@return the type of what masters take beside the weights: of numbers, or of the rest of split ones} */
    DType masterType() {
        return masters == MasterWeights.FP32 ? DType.F32 : DType.BF16;
    }

    /** {@return whether masters are F32 where they are kept, and so updated there} */
    boolean mastersAreF32() {
        return weightsAreMasters() || masters == MasterWeights.FP32;
    }

    /** {@return whether something is kept for masters beside the weights} */
    boolean hasMasters() {
        return !weightsAreMasters() && !(inPlace && masters == MasterWeights.BF16);
    }

    /** {@return whether masters are other numbers than the weights, of which these have to be told after an update} */
    boolean publishes() {
        return hasMasters() && masters != MasterWeights.SPLIT;
    }

    private boolean weightsAreMasters() {
        return inPlace && weights.dtype() == DType.F32 && !UnitUpdate.keepsMastersApart(optimizer);
    }

    /**
     * {@return masters of consecutive elements of a unit}
     *
     * @param owned the weights themselves, where they are {@link #inPlace}
     * @param beside what is kept beside them, where there is
     */
    StoredElements masters(int unit, long firstInUnit, Optional<Tensor> owned, Optional<Tensor> beside) {
        if (weightsAreMasters()) {
            return new StoredElements.F32(owned.orElseThrow());
        }
        return switch (masters) {
            case FP32 -> new StoredElements.F32(beside.orElseThrow());
            case SPLIT -> new StoredElements.Split(owned.orElseThrow(), beside.orElseThrow());
            case BF16 -> {
                Tensor own = (inPlace ? owned : beside).orElseThrow();
                yield rounding.of(own, units.layout(unit).name(), "master weights", firstInUnit);
            }
        };
    }

    /** {@return one of the optimizer's states for consecutive elements of a unit} */
    StoredElements state(int state, int unit, long firstInUnit, Tensor tensor) {
        return stateType == DType.F32
                ? new StoredElements.F32(tensor)
                : rounding.of(tensor, units.layout(unit).name(), names().get(state), firstInUnit);
    }
}
