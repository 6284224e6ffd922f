/**
 * ZeRO: which rank owns which slice of weights, gradients, optimizer states and master weights, and when it travels. Read in this order:
 * {@link ds.zero.UnitLayout} (arithmetic only), {@link ds.zero.ZeroEngine} (the step), {@link ds.zero.GradientStage} and the
 * stages behind it, {@link ds.zero.WeightStage}, {@link ds.zero.UpdatedStates} (the update, by {@code ds.zero.optimizer}), {@link
 * ds.zero.Machine} (a device, and the host beside it), {@link ds.zero.TrainingCheckpoints}. Source: Rajbhandari et al., SC 2020, arXiv:1910.02054.
 */
package ds.zero;
