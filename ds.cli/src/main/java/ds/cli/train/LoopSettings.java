package ds.cli.train;

import ds.models.gpt.GptConfig;
import ds.zero.config.json.Block;

/**
 * {@code ds.train}: how long, and what is looked at meanwhile.
 *
 * @param steps of the run
 * @param sequenceLength T: tokens of a sequence; 0 for all positions of the model
 * @param evaluateEvery how many steps lie between evaluations; the last step is always followed by one
 * @param sampleTokens how many tokens of text are generated at the end; 0 for none
 * @param samplePrompt how that text begins; may be empty
 */
public record LoopSettings(long steps, int sequenceLength, long evaluateEvery, int sampleTokens, String samplePrompt) {
    /**
     * {@return T: what is configured, or all positions of the model}
     *
     * @throws IllegalArgumentException if the model has fewer positions
     */
    int sequenceLength(GptConfig shape) {
        if (sequenceLength > shape.positions()) {
            throw new IllegalArgumentException("ds.train.sequence_length = " + sequenceLength + ": the model has "
                    + shape.positions() + " positions; shorten the sequences or give the model more");
        }
        return sequenceLength == 0 ? Math.toIntExact(shape.positions()) : sequenceLength;
    }

    static LoopSettings read(Block ds) {
        Block block = ds.block("train");
        long steps = block.integer("steps", 1000, 1, Long.MAX_VALUE);
        return new LoopSettings(
                steps,
                (int) block.integer("sequence_length", 0, 1, Integer.MAX_VALUE),
                block.integer("evaluate_every", Math.max(1, steps / 10), 1, Long.MAX_VALUE),
                (int) block.integer("sample_tokens", 400, 0, 1_000_000),
                block.optionalText("sample_prompt").orElse(""));
    }
}
