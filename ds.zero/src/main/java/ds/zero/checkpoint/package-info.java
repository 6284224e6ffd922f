/**
 * Checkpoints: complete or absent, and loadable by any number of ranks, stage, backend and precision. All ranks write at once, each
 * the ranges of elements that it owns; an index says by parameter name and element range where they are.
 *
 * <p>Read in this order: {@link ds.zero.checkpoint.Piece} (what is saved), {@link ds.zero.checkpoint.Checkpointer} (what all
 * ranks call), {@link ds.zero.checkpoint.Saving} (the commit protocol), {@link ds.zero.checkpoint.CheckpointFolder} (names, kills,
 * retention), {@link ds.zero.checkpoint.Checkpoint} (reading). Knows neither engine nor stages.
 */
package ds.zero.checkpoint;
