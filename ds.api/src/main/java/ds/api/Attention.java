package ds.api;

/**
 * Causal multi-head self-attention (Vaswani et al., arXiv:1706.03762) with scores divided by the square root of the head
 * size.
 *
 * @param heads NH; divides C
 * @param dropout of the attention probabilities; element {@code ((b * NH + h) * T + i) * T + j} is query i, key j
 */
public record Attention(int heads, Dropout dropout) {
    /** Rejects a number of heads below 1. */
    public Attention {
        if (heads < 1) {
            throw new IllegalArgumentException("attention with " + heads + " heads");
        }
    }
}
