package ds.models.gpt;

import ds.api.CounterRandom;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * How the next token is drawn from logits. The order is temperature, then top-k, then top-p (nucleus: Holtzman et al.,
 * arXiv:1904.09751).
 *
 * @param temperature divides the logits; 0 takes the most likely token
 * @param topK draws from the k most likely tokens only; 0 for all
 * @param topP draws from the smallest set of most likely tokens whose probabilities reach this sum; 1 for all
 * @param seed the n-th token of a text is a function of seed, n and the logits
 */
public record Sampling(double temperature, int topK, double topP, long seed) {
    /** Always the most likely token. */
    public static final Sampling GREEDY = new Sampling(0, 0, 1, 0);

    /** Rejects values out of range. */
    public Sampling {
        if (!(temperature >= 0) || Double.isInfinite(temperature)) {
            throw new IllegalArgumentException("temperature = " + temperature + ": must be 0 or positive");
        }
        if (topK < 0) {
            throw new IllegalArgumentException("top-k = " + topK + ": must be 0 (all tokens) or positive");
        }
        if (!(topP > 0 && topP <= 1)) {
            throw new IllegalArgumentException("top-p = " + topP + ": must be in (0, 1]");
        }
    }

    /**
     * {@return the token drawn}
     *
     * @param logits of all tokens
     * @param position of the token in its text: which random number is used
     */
    public int draw(float[] logits, long position) {
        if (temperature == 0) {
            return mostLikely(logits);
        }
        boolean all = topK == 0 && topP == 1;
        int[] candidates = all ? IntStream.range(0, logits.length).toArray() : mostLikelyFirst(logits);
        double[] weights = weights(logits, candidates);
        int kept = all ? candidates.length : nucleus(weights);
        double total = Arrays.stream(weights, 0, kept).sum();
        double target = new CounterRandom(CounterRandom.key(seed), 0).uniform(position) * total;
        for (int i = 0; i < kept - 1; i++) {
            target -= weights[i];
            if (target < 0) {
                return candidates[i];
            }
        }
        return candidates[kept - 1];
    }

    private static int mostLikely(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        return best;
    }

    private int[] mostLikelyFirst(float[] logits) {
        int limit = topK == 0 ? logits.length : Math.min(topK, logits.length);
        return IntStream.range(0, logits.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> -logits[i]))
                .limit(limit)
                .mapToInt(Integer::intValue)
                .toArray();
    }

    /** Unnormalised probabilities, shifted by the largest logit so that nothing overflows. */
    private double[] weights(float[] logits, int[] candidates) {
        double max = logits[mostLikely(logits)];
        return Arrays.stream(candidates)
                .mapToDouble(i -> Math.exp((logits[i] - max) / temperature))
                .toArray();
    }

    private int nucleus(double[] weights) {
        double limit = topP * Arrays.stream(weights).sum();
        double sum = 0;
        for (int i = 0; i < weights.length; i++) {
            sum += weights[i];
            if (sum >= limit) {
                return i + 1;
            }
        }
        return weights.length;
    }
}
