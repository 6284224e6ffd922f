/** Where gradients live and when they travel: a class for each way of {@link ds.zero.gradient.GradientStage}. */
package ds.zero.gradient;
