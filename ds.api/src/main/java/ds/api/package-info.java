/**
 * What a model is made of, and what carries it: tensors over buffers, parameters, layers with both directions side by side,
 * and one pass of a micro-batch through them.
 */
package ds.api;
