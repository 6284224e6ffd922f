/**
 * What a model is made of: {@link ds.api.layer.Layer}s with both directions side by side, their
 * {@link ds.api.layer.Parameter}s, and the {@link ds.api.layer.Pass} of a micro-batch through them. There is no tape.
 */
package ds.api.layer;
