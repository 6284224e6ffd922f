package examples.model;

import ds.api.layer.Sequential;
import java.util.List;

/**
 * Guesses the next character from the last T: {@code logits = gelu(e(x) · w1 + b1) · w2 + b2}, where e(x) are the vectors of T
 * characters side by side. Three layers, 51 584 parameters.
 */
public final class CharacterModel {
    /** T: characters the model sees. */
    public static final int CONTEXT = 8;

    /** V: ASCII. */
    public static final int VOCABULARY = 128;

    private static final int CHANNELS = 16;
    private static final int HIDDEN = 128;

    private CharacterModel() {}

    /** {@return the model, which ends in its loss: nats per character} */
    public static Sequential build() {
        return new Sequential(
                "characters",
                List.of(
                        new CharacterEmbedding(VOCABULARY, CHANNELS),
                        new HiddenLayer("hidden.0", CONTEXT * CHANNELS, HIDDEN),
                        new HiddenLayer("hidden.1", HIDDEN, HIDDEN),
                        new CharacterHead(HIDDEN, VOCABULARY)));
    }
}
