/**
 * The second half of a training step on what a rank owns: {@link ds.zero.optimizer.UnitUpdate} takes the gradients of a unit and
 * changes its weights, in one of three ways, by the family of the optimizer: elementwise, layer by layer with norms over all
 * ranks (LAMB), or matrix by matrix (Muon). {@link ds.zero.optimizer.Optimizers} makes the optimizer that a configuration names.
 */
package ds.zero.optimizer;
