package ds.zero.onebit;

import ds.zero.timing.StepTimer;

/**
 * How an optimizer's own communication is waited for.
 *
 * @param overlap whether something travels while something else is computed; no bit depends on it
 * @param timer is told of waits
 */
public record Exchange(boolean overlap, StepTimer timer) {}
