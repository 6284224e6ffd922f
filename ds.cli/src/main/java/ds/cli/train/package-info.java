/**
 * A training run from configuration to exported model. Read in this order: {@link ds.cli.train.RunConfig} (what the file says),
 * {@link ds.cli.train.TrainingRun} (the run), {@link ds.cli.train.RunFolder} (what it leaves behind).
 */
package ds.cli.train;
