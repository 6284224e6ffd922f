package ds.zero;

import ds.api.spi.Optimizer;
import ds.zero.config.ZeroConfig;
import ds.zero.run.StepResult;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.IntStream;

/**
 * The second half of a step: norm, overflow check, clipping, optimizer, new weights everywhere. Where ranks exchange momenta instead of
 * gradients the norm is the root of the mean over ranks of the squared norms of their own gradients: no less than that of the mean
 * gradient, which nobody has, and the same on all ranks, so that clipping is the same factor for all.
 */
final class Update {
    private final ZeroConfig config;
    private final ModelState state;
    private final GlobalSums sums;
    private final LossScale lossScale;
    private final List<Integer> inOrder; // all units
    private final List<Integer> inOrderOfTravel;
    private final List<Integer> inOrderOfTravelByRows;
    private long steps;
    private long updates;

    Update(ZeroConfig config, ModelState state, GlobalSums sums) {
        this.config = config;
        this.state = state;
        this.sums = sums;
        this.lossScale = LossScale.of(config.precision());
        this.inOrder = IntStream.range(0, state.units().count()).boxed().toList();
        this.inOrderOfTravel = state.units().inOrderOfTravel(false);
        this.inOrderOfTravelByRows = state.units().inOrderOfTravel(true);
    }

    /** {@return steps taken so far, skipped ones included} */
    long steps() {
        return steps;
    }

    /** {@return steps in which weights were updated} */
    long updates() {
        return updates;
    }

    /** {@return what the loss is multiplied by, step for step} */
    LossScale scaling() {
        return lossScale;
    }

    /** {@return what a checkpoint keeps of the optimizer beside its states} */
    Map<String, Double> optimizerNumbers() {
        return state.states().phases().numbers();
    }

    /**
     * Goes on after so many steps and updates.
     *
     * @param optimizerNumbers as they were saved
     */
    void restore(long stepsTaken, long updatesDone, Map<String, Double> optimizerNumbers) {
        steps = stepsTaken;
        updates = updatesDone;
        state.states().phases().restore(optimizerNumbers, updatesDone);
    }

    /** {@return the factor of the loss in the step under way} */
    double lossScale() {
        return lossScale.value();
    }

    /** {@return over how many micro-batches of all ranks losses and gradients are sums} */
    double averagedOver() {
        return (double) config.batch().worldSize() * config.batch().gradientAccumulationSteps();
    }

    /** {@return by what a sum of gradients is divided to get the mean} */
    double divisor() {
        return averagedOver() * lossScale.value();
    }

    /** {@return whether the next update takes this rank's own gradients rather than sums over the ranks} */
    boolean takesOwnGradients() {
        return state.states().phases().takesOwnGradients(updates + 1);
    }

    /** {@return what a step did, without times; runs it, after the last backward pass} */
    StepResult run() {
        boolean own = takesOwnGradients();
        state.gradients().finish();
        for (int unit = 0; unit < state.units().count(); unit++) {
            (own ? state.ownGradients(unit) : state.countedOfSum(unit)).forEach(sums::addSquares);
        }
        sums.reduce("norm and loss"); // the one wait of the host in a step
        double ranks = config.batch().worldSize();
        double divisor = own ? divisor() / ranks : divisor();
        double norm = Math.sqrt(own ? sums.squares() / ranks : sums.squares()) / divisor;
        double scale = lossScale.value();
        double learningRate = config.schedule().at(updates);
        OptionalDouble momentum = config.schedule().momentum(updates);
        boolean overflowed = !Double.isFinite(norm);
        boolean skipped = overflowed && config.precision().skipsOverflow();
        steps++;
        if (!skipped) {
            updates++;
            double clip = config.gradientClipping();
            double factor = clip > 0 ? Math.min(1, clip / (norm + 1e-6)) : 1;
            apply(new Optimizer.Step(
                    updates, learningRate, config.optimizer().weightDecay(), factor / divisor, momentum));
        }
        lossScale.stepDone(overflowed);
        return new StepResult(
                steps, sums.losses() / averagedOver(), norm, learningRate, scale, skipped, StepResult.Timing.NONE);
    }

    private void apply(Optimizer.Step step) {
        state.aboutToChange();
        state.weights().awaitChanges(); // of the step before, which every layer has waited for
        state.states().prepare(step);
        for (int unit : order()) {
            state.states().update(unit, step);
            state.weights().ownedChanged(unit);
        }
        state.states().awaitUpdates();
        state.weights().allChanged();
    }

    private List<Integer> order() {
        if (!state.states().inAnyOrder()) {
            return inOrder;
        }
        return state.weights().comesByRows(0) ? inOrderOfTravelByRows : inOrderOfTravel;
    }
}
