/**
 * From text to batches. Read in this order: {@link ds.data.TextSource} (documents of files, folders and archives),
 * {@link ds.data.Tokenizer}, {@link ds.data.Preparation} (done once), {@link ds.data.TokenFile} (its result, memory-mapped),
 * {@link ds.data.Sampler} (which window of tokens a step sees; arithmetic only), {@link ds.data.TrainingBatches} and
 * {@link ds.data.EvaluationBatches} (the share of one rank).
 *
 * <p>What is wrong with the user's files or settings is a {@link ds.data.DataException}; a call that breaks its own contract
 * is an {@link java.lang.IllegalArgumentException}.
 */
package ds.data;
