/**
 * ZeRO: which rank owns which slice of gradients, optimizer states and master weights, and when it travels. Read in this order:
 * {@link ds.zero.UnitLayout} (arithmetic only), {@link ds.zero.ZeroEngine} (the step), {@link ds.zero.GradientStage} and the
 * three stages behind it, {@link ds.zero.OwnedStates} (the update), {@link ds.zero.TrainingCheckpoints}. Source: Rajbhandari et al., SC 2020, arXiv:1910.02054.
 */
package ds.zero;
