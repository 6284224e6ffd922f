package ds.cli.train;

import ds.models.gpt.GptConfig;

/**
 * What is about to run.
 *
 * @param shape of the model
 * @param ranks how many
 * @param stage ZeRO stage
 * @param dtype of weights and activations, as the field writes it
 * @param steps of the run
 * @param tokensPerStep over all ranks
 * @param trainTokens in the training file
 * @param validationTokens in the held-out file
 * @param memoryBytes allocated by this rank before the first step
 */
public record RunSummary(
        GptConfig shape,
        int ranks,
        int stage,
        String dtype,
        long steps,
        long tokensPerStep,
        long trainTokens,
        long validationTokens,
        long memoryBytes) {}
