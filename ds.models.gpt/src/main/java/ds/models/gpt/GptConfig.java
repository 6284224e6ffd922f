package ds.models.gpt;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The shape of a GPT.
 *
 * @param vocabulary V: how many tokens there are
 * @param positions longest sequence
 * @param layers L: transformer blocks
 * @param channels C: width of the residual stream; a multiple of {@code heads}
 * @param heads NH: attention heads
 * @param dropout rates; {@link Rates#NONE} for none
 * @param layerNormEpsilon added to the variance in layer normalisation
 */
public record GptConfig(
        long vocabulary, long positions, int layers, long channels, int heads, Rates dropout, float layerNormEpsilon) {
    /** GPT-2's vocabulary: 256 bytes, 50,000 merges, one end-of-text token. */
    public static final long GPT2_VOCABULARY = 50257;

    private static final Map<String, GptConfig> PRESETS = presets();

    /**
     * Dropout rates, each in [0, 1).
     *
     * @param embedding after the sum of token and position embedding
     * @param residual before each addition to the residual stream
     * @param attention of the attention probabilities
     */
    public record Rates(double embedding, double residual, double attention) {
        /** No dropout. */
        public static final Rates NONE = new Rates(0, 0, 0);

        /** Rejects rates outside [0, 1). */
        public Rates {
            check("embedding dropout", embedding);
            check("residual dropout", residual);
            check("attention dropout", attention);
        }

        /** {@return the same rate at all three places} */
        public static Rates all(double rate) {
            return new Rates(rate, rate, rate);
        }

        private static void check(String what, double rate) {
            if (!(rate >= 0 && rate < 1)) {
                throw new IllegalArgumentException(what + " = " + rate + ": must be in [0, 1)");
            }
        }
    }

    /** Rejects shapes that cannot be built. */
    public GptConfig {
        positive("vocabulary", vocabulary);
        positive("positions", positions);
        positive("layers", layers);
        positive("channels", channels);
        positive("heads", heads);
        if (channels % heads != 0) {
            throw new IllegalArgumentException(
                    "channels = " + channels + " is not a multiple of heads = " + heads + ": heads need equal sizes");
        }
        if (!(layerNormEpsilon > 0)) {
            throw new IllegalArgumentException("layerNormEpsilon = " + layerNormEpsilon + ": must be positive");
        }
    }

    /** {@return a shape without dropout and with GPT-2's epsilon of 1e-5} */
    public static GptConfig of(long vocabulary, long positions, int layers, long channels, int heads) {
        return new GptConfig(vocabulary, positions, layers, channels, heads, Rates.NONE, 1e-5f);
    }

    /** {@return the same shape with other dropout rates} */
    public GptConfig withDropout(Rates rates) {
        return new GptConfig(vocabulary, positions, layers, channels, heads, rates, layerNormEpsilon);
    }

    /** {@return the same shape for another vocabulary, such as that of byte tokens} */
    public GptConfig withVocabulary(long size) {
        return new GptConfig(size, positions, layers, channels, heads, dropout, layerNormEpsilon);
    }

    /**
     * {@return a shape whose steps take milliseconds, and run the code that steps of this one run: with heads of the same size, but
     * few of everything}
     */
    public GptConfig miniature() {
        int few = Math.clamp(512 / headSize(), 1, Math.min(heads, 4));
        return new GptConfig(
                Math.min(vocabulary, 1021), // odd as most vocabularies: loops have a rest
                Math.min(positions, 128),
                1,
                few * headSize(),
                few,
                dropout,
                layerNormEpsilon);
    }

    /**
     * {@return a published shape}
     *
     * @throws IllegalArgumentException if there is none of this name, with the names there are
     */
    public static GptConfig preset(String name) {
        GptConfig preset = PRESETS.get(name);
        if (preset == null) {
            throw new IllegalArgumentException("model = " + name + ": no such preset; there are " + PRESETS.keySet());
        }
        return preset;
    }

    /** {@return all published shapes by name, smallest first} */
    public static Map<String, GptConfig> all() {
        return PRESETS;
    }

    /**
     * Rejects more ranks than can share the layers: each has at least one whole head, and some of the tokens.
     *
     * @param ranks of tensor parallelism
     */
    public void requireSplits(int ranks) {
        requireSplits(ranks, "heads", heads);
        requireSplits(ranks, "tokens", vocabulary);
    }

    private static void requireSplits(int ranks, String what, long count) {
        long most = Math.ceilDiv(count, (long) ranks);
        if (count <= (ranks - 1) * most) {
            throw new IllegalArgumentException("tensor_parallel.autotp_size = " + ranks + ": the " + count + " " + what
                    + " of the model, " + most + " for each rank, leave none for the last; choose at most "
                    + Math.ceilDiv(count, most));
        }
    }

    /** {@return size of a head, C / NH} */
    public long headSize() {
        return channels / heads;
    }

    /** {@return how many parameters the model has: V·C + P·C + L(12C² + 13C) + 2C; the tied output projection counts once} */
    public long parameters() {
        long blocks = layers * (12 * channels * channels + 13 * channels);
        return vocabulary * channels + positions * channels + blocks + 2 * channels;
    }

    /**
     * {@return floating-point operations of forward and backward pass for one token: 6N + 12·L·C·T, where N leaves the position
     * table out, since it is only added}
     *
     * @param time T: length of the sequences
     */
    public double flopsPerToken(long time) {
        return 6.0 * (parameters() - positions * channels) + 12.0 * layers * channels * time;
    }

    private static Map<String, GptConfig> presets() {
        Map<String, GptConfig> presets = new LinkedHashMap<>();
        presets.put("gpt2-124m", of(GPT2_VOCABULARY, 1024, 12, 768, 12));
        presets.put("gpt2-355m", of(GPT2_VOCABULARY, 1024, 24, 1024, 16));
        presets.put("gpt2-774m", of(GPT2_VOCABULARY, 1024, 36, 1280, 20));
        presets.put("gpt2-1558m", of(GPT2_VOCABULARY, 1024, 48, 1600, 25));
        // Megatron and the ZeRO paper run the same width with 16 heads of 100, and a vocabulary padded to a multiple of
        // 1024.
        presets.put("gpt2-1.5b-megatron", of(51200, 1024, 48, 1600, 16));
        presets.put("turing-nlg-17b", of(51200, 1024, 78, 4256, 28));
        return Collections.unmodifiableMap(presets);
    }

    private static void positive(String what, long value) {
        if (value < 1) {
            throw new IllegalArgumentException(what + " = " + value + ": must be at least 1");
        }
    }
}
