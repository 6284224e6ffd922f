/**
 * Where the weights live that the model computes with: {@link ds.zero.weight.WeightStage}, whole on every rank, or as shards that are
 * gathered ahead of their use.
 */
package ds.zero.weight;
