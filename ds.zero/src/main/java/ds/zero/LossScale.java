package ds.zero;

import ds.zero.config.LossScaling;
import ds.zero.config.Precision;

/**
 * By what the loss is multiplied and gradients are divided: one object for both, so that they cannot disagree. The scale of a
 * step stays until all of its gradients have been divided; only then it changes.
 *
 * <p>Dynamic scaling after Micikevicius et al., arXiv:1710.03740, section 4, with DeepSpeed's hysteresis and window.
 */
final class LossScale {
    private final LossScaling scaling;
    private State state;

    /**
     * What changes with the steps; what a checkpoint keeps.
     *
     * @param scale of the next step
     * @param steps seen so far, skipped ones included
     * @param lastOverflow step of the last overflow, counted from 0; −1 for none
     * @param hysteresisLeft overflows until the scale is halved
     */
    record State(double scale, long steps, long lastOverflow, long hysteresisLeft) {}

    LossScale(LossScaling scaling) {
        this.scaling = scaling;
        this.state = switch (scaling) {
            case LossScaling.Static(double scale) -> new State(scale, 0, -1, 1);
            case LossScaling.Dynamic dynamic ->
                new State(Math.scalb(1.0, dynamic.initialPower()), 0, -1, dynamic.hysteresis());
        };
    }

    /** {@return the scale of a precision; 1 where gradients need none} */
    static LossScale of(Precision precision) {
        return new LossScale(
                switch (precision) {
                    case Precision.F32() -> new LossScaling.Static(1);
                    case Precision.Bf16 _ -> new LossScaling.Static(1);
                    case Precision.Fp16(LossScaling scaling) -> scaling;
                });
    }

    /** {@return the factor of the loss, and the divisor of its gradients, in this step} */
    double value() {
        return state.scale();
    }

    State state() {
        return state;
    }

    void restore(State restored) {
        state = restored;
    }

    /**
     * Ends a step.
     *
     * @param overflowed whether gradients were not finite, and the step was skipped
     * @throws IllegalStateException if they overflow at the smallest scale: no smaller one can help
     */
    void stepDone(boolean overflowed) {
        state = switch (scaling) {
            case LossScaling.Static(double scale) ->
                new State(scale, state.steps() + 1, overflowed ? state.steps() : state.lastOverflow(), 1);
            case LossScaling.Dynamic dynamic -> overflowed ? shrunk(dynamic) : grown(dynamic);
        };
    }

    private State shrunk(LossScaling.Dynamic dynamic) {
        long now = state.steps();
        if (state.hysteresisLeft() > 1) {
            return new State(state.scale(), now + 1, now, state.hysteresisLeft() - 1);
        }
        if (state.scale() <= dynamic.leastScale()) {
            throw new IllegalStateException("step " + (now + 1) + ": gradients overflow at fp16.min_loss_scale = "
                    + dynamic.leastScale() + "; the run has diverged: lower the learning rate, or use bf16");
        }
        return new State(Math.max(state.scale() / 2, dynamic.leastScale()), now + 1, now, 1);
    }

    private State grown(LossScaling.Dynamic dynamic) {
        long now = state.steps();
        long stable = now - state.lastOverflow() - 1;
        boolean grows = stable > 0 && stable % dynamic.window() == 0;
        boolean recovers = dynamic.consecutiveHysteresis() || grows;
        return new State(
                grows ? state.scale() * 2 : state.scale(),
                now + 1,
                state.lastOverflow(),
                recovers ? dynamic.hysteresis() : state.hysteresisLeft());
    }
}
