package ds.zero.config;

import ds.api.layer.RecomputedLayer;
import ds.api.layer.RecomputedLayer.Inputs;
import ds.api.layer.Sequential;
import ds.zero.config.json.Block;
import java.util.OptionalLong;

/**
 * Which activations are kept for the backward pass: the block {@code activation_checkpointing}, or {@code
 * ds.checkpoint_every}. The first and the last layer of a model are not wrapped, see {@link RecomputedLayer#wrap}.
 */
public sealed interface ActivationCheckpointing {
    /** All of them. */
    record None() implements ActivationCheckpointing {}

    /**
     * The inputs of so many segments of equal length; the last one may be shorter.
     *
     * @param count {@code number_checkpoints}, at least 1
     * @param inputs where the inputs are kept
     */
    record Segments(int count, Inputs inputs) implements ActivationCheckpointing {}

    /**
     * The inputs of segments of so many layers.
     *
     * @param layers {@code ds.checkpoint_every}, at least 1
     * @param inputs where the inputs are kept
     */
    record Every(int layers, Inputs inputs) implements ActivationCheckpointing {}

    /** {@return the model in which only those activations are kept} */
    default Sequential apply(Sequential model) {
        return switch (this) {
            case None() -> model;
            case Segments(int count, Inputs inputs) -> {
                int wrapped = Math.max(1, model.layers().size() - 2);
                yield RecomputedLayer.wrap(model, Math.ceilDiv(wrapped, count), inputs);
            }
            case Every(int layers, Inputs inputs) -> RecomputedLayer.wrap(model, layers, inputs);
        };
    }

    static ActivationCheckpointing read(Block root) {
        Block block = root.block("activation_checkpointing");
        Block ds = root.block(RuntimeConfig.BLOCK);
        OptionalLong count = block.optionalInteger("number_checkpoints", 0, Integer.MAX_VALUE);
        OptionalLong every = ds.optionalInteger("checkpoint_every", 1, Integer.MAX_VALUE);
        boolean onHost = block.flag("cpu_checkpointing", false);
        Inputs inputs = onHost ? Inputs.ON_HOST : Inputs.ON_DEVICE;
        if (count.orElse(0) > 0 && every.isPresent()) {
            ds.problem(
                    "checkpoint_every",
                    "activation_checkpointing.number_checkpoints says something else already",
                    "keep one of the two");
        }
        if (count.orElse(0) > 0) {
            return new Segments((int) count.getAsLong(), inputs);
        }
        if (every.isPresent()) {
            return new Every((int) every.getAsLong(), inputs);
        }
        if (onHost) {
            block.problem(
                    "cpu_checkpointing",
                    "no activations are checkpointed that could be kept in host memory",
                    "give number_checkpoints as well, or remove the key");
        }
        return new None();
    }
}
