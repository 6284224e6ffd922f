/**
 * ZeRO: which rank owns which slice of weights, gradients, optimizer states and master weights, and when it travels. Read in this
 * order: {@link ds.zero.unit.UnitLayout} (arithmetic only), {@link ds.zero.ZeroEngine} (the step), {@link
 * ds.zero.gradient.GradientStage} and the stages behind it, {@link ds.zero.weight.WeightStage}, {@link ds.zero.state.UpdatedStates}
 * (the update, by {@code ds.zero.optimizer}), {@link ds.zero.host.Machine} (a device, and the host beside it), {@link
 * ds.zero.TrainingCheckpoints}. Source: Rajbhandari et al., SC 2020, arXiv:1910.02054.
 */
package ds.zero;
