package ds.bench;

import ds.models.gpt.GptConfig;
import java.util.OptionalInt;

/**
 * The shape of the model that is measured: that of a preset, with other numbers where they are given.
 *
 * @param preset its name
 * @param layers blocks
 * @param channels width of the residual stream
 * @param heads attention heads
 * @param vocabulary tokens
 */
public record StepShape(
        String preset, OptionalInt layers, OptionalInt channels, OptionalInt heads, OptionalInt vocabulary) {
    /** Rejects counts below 1. */
    public StepShape {
        layers.ifPresent(count -> StepSetup.positive("--layers", count));
        channels.ifPresent(count -> StepSetup.positive("--channels", count));
        heads.ifPresent(count -> StepSetup.positive("--heads", count));
        vocabulary.ifPresent(count -> StepSetup.positive("--vocabulary", count));
    }

    /** {@return the shape, with positions for sequences of this length} */
    GptConfig config(int time) {
        GptConfig shape = GptConfig.preset(preset);
        return GptConfig.of(
                vocabulary.orElse(Math.toIntExact(shape.vocabulary())),
                Math.max(shape.positions(), time),
                layers.orElse(shape.layers()),
                channels.orElse(Math.toIntExact(shape.channels())),
                heads.orElse(shape.heads()));
    }
}
