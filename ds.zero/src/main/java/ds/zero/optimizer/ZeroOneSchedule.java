package ds.zero.optimizer;

import ds.zero.config.OptimizerConfig;

/** Which update of 0/1 Adam does what, counted from 1: arithmetic alone, so that a resumed run needs nothing but the number. */
record ZeroOneSchedule(OptimizerConfig.ZeroOneAdam config) {
    /** {@return whether the variance is frozen: ranks take steps of their own} */
    boolean isLocal(long update) {
        return update > config.varFreezeStep();
    }

    /**
     * {@return whether an update, before the variance is frozen, takes sums of gradients into both moments} It does at multiples of an
     * interval, which doubles after so many of these.
     */
    boolean isRefresh(long update) {
        long last = 0; // of the shorter interval
        for (long interval = 1; ; interval *= 2) {
            long first = (last / interval + 1) * interval;
            last = first + (config.varUpdateScaler() - 1) * interval;
            if (update <= last) {
                return update >= first && update % interval == 0;
            }
        }
    }

    /** {@return whether ranks come together in an update, after the variance is frozen} */
    boolean isExchange(long update) {
        long doublings = (update - config.varFreezeStep() - 1) / config.localStepScaler();
        long interval = doublings >= Long.SIZE - 2 ? Long.MAX_VALUE : 1L << doublings;
        return update % Math.min(config.localStepClipper(), interval) == 0;
    }

    /** {@return whether ranks have momenta of their own after so many updates} */
    boolean isApart(long updates) {
        return isLocal(updates) && !isExchange(updates);
    }

    /** {@return whether signs have been exchanged after so many updates} */
    boolean hasErrors(long updates) {
        return updates > config.varUpdateScaler() || isLocal(updates);
    }
}
